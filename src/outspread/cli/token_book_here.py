"""The tokens of the controller whose state is on this host; the one place that says where they are."""

import os
from pathlib import Path

from outspread.server.settings import read_settings
from outspread.server.token_book import TokenBook


def token_book_here(config: Path | None) -> TokenBook:
    """Return the tokens of the controller with these settings."""
    return TokenBook(read_settings(config, os.environ, Path.home()).state)
