"""The tokens of the controller whose state is on this host; the one place that says where they are."""

import os
from pathlib import Path

from outspread.server.token_book import TokenBook
from outspread.user_directories import state_directory


def token_book_here() -> TokenBook:
    """Return the tokens in the state directory."""
    return TokenBook(state_directory(os.environ, Path.home()))
