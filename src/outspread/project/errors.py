"""What is wrong with a project, and where."""

from outspread.errors import UserError


class ProjectError(UserError):
    """A project, or a selection from it, that cannot be used as it stands.

    ``str()`` is the text alone, in the words of Spread where it has words for it (scripts match on them); ``file`` and
    ``line`` (from 1; 0 when unknown) say where to look.
    """

    def __init__(self, message: str, *, file: str = "", line: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.line = line

    @property
    def located(self) -> str:
        """The text behind its place: ``file:line: text``."""
        if not self.file:
            return self.message
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class HostCommandError(ProjectError):
    """A ``$(HOST:...)`` command that failed, did not end in time, or could not be started."""
