import pytest

from outspread.project.model import PRESERVE_SIZE
from outspread.project.sizes import parse_size_bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("5B", 5),
        ("2K", 2048),
        ("1M", 1024**2),
        ("20G", 20 * 1024**3),
        ("-1G", -(1024**3)),
        ("preserve-size", PRESERVE_SIZE),
    ],
)
def test_sizes(text: str, expected: int) -> None:
    assert parse_size_bytes(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5X", 'unknown size suffix in "5X", must be one of: B, K, M, G'),
        ("512", 'unknown size suffix in "512", must be one of: B, K, M, G'),
        ("G", 'invalid size string: "G"'),
        ("1.5G", 'invalid size string: "1.5G"'),
        ("9" * 30 + "G", f'invalid size string: "{"9" * 30}G"'),
        ("5", 'invalid size string: "5"'),
    ],
)
def test_no_sizes(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="size") as caught:
        parse_size_bytes(text)
    assert str(caught.value) == message
