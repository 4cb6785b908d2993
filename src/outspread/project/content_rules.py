"""What of a project's tree goes to machines, and under which names."""

from msgspec import Struct

from outspread.project.host_commands import HostCommands
from outspread.project.host_references import expand_references
from outspread.project.model import Project
from outspread.project.plain_variables import plain_variables


class ContentRules(Struct, frozen=True):
    """For tar: names to pack (none: everything at the top), patterns to leave out, expressions that rename."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rename: tuple[str, ...] = ()


def expanded_content_rules(project: Project, host: HostCommands) -> ContentRules:
    """Return the rules of ``project`` with ``$NAME``, ``${NAME}`` and ``$(HOST:...)`` replaced.

    Only the project's own environment counts; unknown names become empty. Raises ProjectError when a command fails.
    """
    variables = plain_variables([("project", project.environment)], host)

    def expanded(texts: tuple[str, ...], what: str) -> tuple[str, ...]:
        return tuple([expand_references(text, variables, host, owner=what) for text in texts])

    return ContentRules(
        rename=expanded(project.rename, "rename expression"),
        include=expanded(project.include, "include list"),
        exclude=expanded(project.exclude, "exclude list"),
    )
