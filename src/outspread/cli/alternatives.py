"""Options of which only one may be used at a time, whatever the program calls them."""

from collections.abc import Callable, Sequence

from outspread.errors import UserError

#: The shells before and after go together.
ALTERNATIVES = (("debug",), ("shell",), ("shell-before", "shell-after"), ("abend",), ("restore",))

#: Which option opens a shell, and when (as in ``controller.values.ShellOccasion``, which a help text does not need).
SHELLS = {"debug": "debug", "shell": "instead", "shell-before": "before", "shell-after": "after"}


def refuse_together(is_used: Callable[[str], bool], *, dash: str) -> None:
    """Raise UserError when options exclude each other; ``dash`` is what stands before their names."""
    used = [[f"{dash}{name}" for name in names if is_used(name)] for names in ALTERNATIVES]
    together = [" ".join(names) for names in used if names]
    if len(together) > 1:
        every = ["/".join(f"{dash}{name}" for name in names) for names in ALTERNATIVES]
        raise UserError(
            f"cannot use {' and '.join(together)} together", hint=f"at most one of {', '.join(every[:-1])} and {every[-1]}"
        )


def wanted_shells(is_used: Callable[[str], bool]) -> Sequence[str]:
    """Return when shells are wanted."""
    return [occasion for name, occasion in SHELLS.items() if is_used(name)]
