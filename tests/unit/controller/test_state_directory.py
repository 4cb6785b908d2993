from pathlib import Path

import pytest

from outspread.controller.state_directory import state_directory


@pytest.mark.parametrize(
    ("environment", "directory"),
    [
        ({}, "/home/me/.local/state/outspread"),
        ({"XDG_STATE_HOME": ""}, "/home/me/.local/state/outspread"),
        ({"XDG_STATE_HOME": "relative"}, "/home/me/.local/state/outspread"),
        ({"XDG_STATE_HOME": "/state"}, "/state/outspread"),
        ({"XDG_STATE_HOME": "/state", "OUTSPREAD_STATE": "/mine"}, "/mine"),
    ],
)
def test_the_environment_says_where(environment: dict[str, str], directory: str) -> None:
    assert state_directory(environment, Path("/home/me")) == Path(directory)
