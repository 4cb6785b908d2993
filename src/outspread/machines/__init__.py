"""Where it runs: backends that get and give back machines, the ways into one, and scripts over them."""
