"""Workers with a controller of the tests'."""

from tests.commands.worker_fixtures import do_jobs, new_controller, running, store_trees, until

__all__ = ["do_jobs", "new_controller", "running", "store_trees", "until"]
