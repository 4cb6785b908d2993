"""Commands that GitHub Actions reads from a log: groups that fold, and annotations of failures.

What a test printed must not be read as a command: inside a group commands are stopped by a token until it comes again.
"""

from collections.abc import Iterable, Iterator, Mapping

from outspread.cli.troubles import Trouble


class GithubActions:
    """Wraps a report's blocks. ``token`` must not be guessable by what runs in the tests."""

    def __init__(self, token: str) -> None:
        self._token = token

    def trouble(self, trouble: Trouble, block: Iterable[str]) -> Iterator[str]:
        """Yield the lines of ``block`` as a group, with an annotation after it."""
        lines = iter(block)
        yield f"::group::{_data(next(lines))}"
        yield from self.harmless(lines)
        yield "::endgroup::"
        yield f"::error title={_property(trouble.context)}::{_data(f'{trouble.what}: {trouble.reason}'.removesuffix(': '))}"

    def harmless(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield ``lines`` so that none of them is read as a command."""
        yield f"::stop-commands::{self._token}"
        yield from lines
        yield f"::{self._token}::"


def on_github_actions(environment: Mapping[str, str]) -> bool:
    """Return whether the log is read by GitHub Actions."""
    return environment.get("GITHUB_ACTIONS") == "true"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
