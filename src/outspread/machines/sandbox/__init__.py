"""The sandbox: a throw-away view of a root tree in namespaces of its own, for hosts where nothing else is installed.

It protects the host from accidents. It is no security boundary: who wants to get out of it as root will.

Two sides: ``backend`` runs in Outspread's own process; all else runs in the *keeper*, a small process per sandbox that is
started with ``python -I -S`` and therefore imports the standard library and these modules only.
"""
