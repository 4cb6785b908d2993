"""The variables that texts outside scripts may refer to: in user names and passwords, and in what is packed."""

from collections.abc import Iterable

from outspread.project.host_commands import HostCommands
from outspread.project.host_references import expand_references
from outspread.project.model import Environment


def plain_variables(levels: Iterable[tuple[str, Environment]], host: HostCommands) -> dict[str, str]:
    """Return the variables of the ``levels``, each an owner and an environment, with references to those before replaced.

    Keys for variants are left out: nothing can refer to them. Raises ProjectError when a command fails.
    """
    variables: dict[str, str] = {}
    for owner, environment in levels:
        for key, value in environment:
            if "/" not in key:
                variables[key] = expand_references(value, variables, host, owner=owner)
    return variables
