"""The ``adhoc`` backend: machines that a project's own scripts get and give back."""
