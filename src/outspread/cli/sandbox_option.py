"""What ``--sandbox`` makes of a project: all its backends give way to one, a throw-away view of this host."""

import msgspec

from outspread.project.model import Backend, Project, System

SANDBOX = "sandbox"


def with_sandbox(project: Project, system_name: str) -> Project:
    """Return ``project`` with a single backend ``sandbox`` that has the one system ``system_name``.

    Suites and tasks stay as they are: those that are meant for other systems only have no jobs then.
    """
    system = System(name=system_name, backend=SANDBOX)
    backend = Backend(name=SANDBOX, type=SANDBOX, systems={system_name: system})
    return msgspec.structs.replace(project, backends={SANDBOX: backend})
