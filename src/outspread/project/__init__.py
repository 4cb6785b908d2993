"""What to run: from a ``spread.yaml`` to jobs. Pure, but for the ``$(HOST:...)`` commands."""
