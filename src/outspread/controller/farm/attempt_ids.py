"""The ids of attempts: RUN.NUMBER.ATTEMPT."""

import re
from typing import Final

from outspread.errors import NotFoundError

_NUMBER: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


def attempt_id_of(run_id: str, number: int, attempt: int) -> str:
    """Return the id of the ``attempt``-th attempt, from 1, of a run's job."""
    return f"{run_id}.{number}.{attempt}"


def split_attempt_id(attempt_id: str) -> tuple[str, int, int]:
    """Return run, job number and attempt number; NotFoundError when it is no attempt's id."""
    run_id, _, rest = attempt_id.rpartition(".")
    run_id, _, number = run_id.rpartition(".")
    if not (run_id and _NUMBER.fullmatch(number) and _NUMBER.fullmatch(rest)):
        raise NotFoundError(f"cannot find attempt {attempt_id!r}: its id has the form RUN.NUMBER.ATTEMPT")
    return run_id, int(number), int(rest)
