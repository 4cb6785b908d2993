import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.errors import UserError
from outspread.machines.ssh.address import address_text, parse_address


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("host", ("host", 22)),
        (" host.example.org:2222 ", ("host.example.org", 2222)),
        ("192.0.2.7:1", ("192.0.2.7", 1)),
        ("::1", ("::1", 22)),
        ("2001:db8::7", ("2001:db8::7", 22)),
        ("::ffff:192.0.2.7", ("::ffff:192.0.2.7", 22)),
        ("fe80::1%eth0", ("fe80::1%eth0", 22)),
        ("[::1]", ("::1", 22)),
        ("[2001:db8::7]:65535", ("2001:db8::7", 65535)),
        ("[host]:22", ("host", 22)),
    ],
)
def test_what_people_write(text: str, parsed: tuple[str, int]) -> None:
    assert parse_address(text) == parsed


@pytest.mark.parametrize(
    "text", ["", ":22", "host:", "host:0", "host:65536", "host:22x", "[::1", "[::1]22", "a b", "[]:22", "h:1:2"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UserError, match="neither HOST nor HOST:PORT"):
        parse_address(text)


@given(st.sampled_from(["host", "192.0.2.7", "::1", "2001:db8::7"]), st.integers(1, 65535))
def test_what_is_written_is_read(host: str, port: int) -> None:
    assert parse_address(address_text(host, port)) == (host, port)
