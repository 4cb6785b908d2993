"""Doing it: carry a session through the jobs of a run and report."""
