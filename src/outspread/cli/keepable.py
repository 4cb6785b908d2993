"""Which of the selected backends have machines that live on when their run does not."""

from outspread.cli.selection import Selection
from outspread.errors import UserError
from outspread.machines.backends import backend_for


def machines_may_be_left(selection: Selection) -> bool:
    """Tell whether a run that is killed may leave machines behind."""
    return len(_short_lived(selection)) < len(_backends(selection))


def refuse_what_cannot_be_kept(selection: Selection, option: str) -> None:
    """Raise UserError when machines that end with the run are among those that are to be kept, as ``option`` says."""
    if short_lived := _short_lived(selection):
        names = ", ".join(short_lived)
        raise UserError(
            f"cannot keep machines of {names}: they end with the process that made them",
            hint=f"leave out {option}, or select jobs of other backends",
        )


def _backends(selection: Selection) -> list[str]:
    return sorted({job.backend for job in selection.jobs})


def _short_lived(selection: Selection) -> list[str]:
    types = selection.project.backends
    return [name for name in _backends(selection) if not backend_for(types[name].type).machines_live_on]
