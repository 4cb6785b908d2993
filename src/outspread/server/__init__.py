"""The front door: what a controller and its store say over HTTP."""
