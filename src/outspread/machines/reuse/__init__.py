"""Machines that outlive a run, noted in a file beside the project as Spread notes them."""
