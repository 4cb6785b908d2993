"""Who calls: nothing that a header says makes a caller local, and much that it says makes it none."""

import pytest

from outspread.server.asgi import Scope
from outspread.server.caller import bearer_token, is_foreign_page, is_local


def scope(address: str = "127.0.0.1", **headers: str) -> Scope:
    told = {"host": "localhost:8080"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return {"client": (address, 1234), "headers": [(name.encode(), value.encode()) for name, value in told.items()]}


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.3.2.1", "[::1]:8080", "[::1]"])
@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_calls_of_this_host_are_local(address: str, host: str) -> None:
    assert is_local(scope(address, host=host))


@pytest.mark.parametrize("address", ["10.0.0.1", "::2", "::ffff:10.0.0.1", "", "localhost", "0.0.0.0"])
def test_calls_from_elsewhere_are_not(address: str) -> None:
    assert not is_local(scope(address))
    assert not is_local(scope(address, x_forwarded_for="127.0.0.1"))


def test_a_call_without_an_address_is_not_local() -> None:
    assert not is_local({"client": None, "headers": [(b"host", b"localhost")]})


@pytest.mark.parametrize(
    "host", ["evil.example:8080", "localhost.evil.example", "", "10.0.0.1:8080", "[::2]:1", "127.0.0.1.evil"]
)
def test_a_page_whose_name_was_bent_to_this_host_is_not_local(host: str) -> None:
    assert not is_local(scope(host=host))


@pytest.mark.parametrize("header", ["forwarded", "x_forwarded_for", "x_forwarded_host", "x_real_ip", "via"])
def test_what_a_proxy_passes_on_is_not_local(header: str) -> None:
    assert not is_local(scope(**{header: "127.0.0.1"}))


@pytest.mark.parametrize(
    ("headers", "is_foreign"),
    [
        ({}, False),
        ({"sec_fetch_site": "same-origin"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"sec_fetch_site": "cross-site"}, True),
        ({"sec_fetch_site": "same-site"}, True),
        ({"origin": "http://localhost:8080"}, False),
        ({"origin": "HTTP://LOCALHOST:8080"}, False),
        ({"origin": "http://localhost:8081"}, True),
        ({"origin": "http://evil.example"}, True),
        ({"origin": "null"}, True),
        ({"origin": "http://localhost:8080", "sec_fetch_site": "cross-site"}, True),
    ],
)
def test_pages_of_other_sites_are_known(headers: dict[str, str], is_foreign: bool) -> None:
    assert is_foreign_page(scope(**headers)) is is_foreign


@pytest.mark.parametrize(
    ("told", "token"), [("Bearer ost_x", "ost_x"), ("bearer  ost_x ", "ost_x"), ("Basic abc", ""), ("", ""), ("Bearer", "")]
)
def test_a_bearer_token_is_found(told: str, token: str) -> None:
    assert bearer_token(scope(authorization=told)) == token
