from pathlib import Path

import pytest

from outspread.user_directories import cache_directory, data_directory, state_directory


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


@pytest.mark.parametrize(
    ("environment", "cache", "data"),
    [
        ({}, "/home/me/.cache/outspread", "/home/me/.local/share/outspread"),
        ({"XDG_CACHE_HOME": "/c", "XDG_DATA_HOME": "/d"}, "/c/outspread", "/d/outspread"),
        ({"XDG_CACHE_HOME": "c", "XDG_DATA_HOME": "d"}, "/home/me/.cache/outspread", "/home/me/.local/share/outspread"),
        ({"OUTSPREAD_STATE": "/mine"}, "/home/me/.cache/outspread", "/home/me/.local/share/outspread"),
    ],
)
def test_what_is_no_state_has_its_own_places(environment: dict[str, str], cache: str, data: str) -> None:
    home = Path("/home/me")
    assert (cache_directory(environment, home), data_directory(environment, home)) == (Path(cache), Path(data))
