import pytest

from outspread.project.lost_quotes import loses_quotes


@pytest.mark.parametrize("value", ['a "b" c', 'x"', '$(cmd) "y"', 'a"$(echo "b")'])
def test_lost(value: str) -> None:
    assert loses_quotes(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "plain",
        '"quoted" all',
        "'single \"x\"'",
        '$(echo "b")',
        '`echo "b"`',
        'a\\"b',
        '${A:-"x"}',
        '$(echo $(echo "x"))',
        "it's",
    ],
)
def test_kept(value: str) -> None:
    assert not loses_quotes(value)
