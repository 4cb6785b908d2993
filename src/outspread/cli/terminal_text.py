"""Text of strangers made fit to be shown: what a test prints must not be able to wreck a terminal, a log or a document."""

import re

# Sequences that end by rule (CSI, OSC and the other strings) first, then two-character escapes, then single controls.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"
    r"|\x1b[ -/]*[0-~]"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def valid_text(text: str) -> str:
    """Return ``text`` with a replacement character for each byte that was not UTF-8."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def shown_text(text: str) -> str:
    """Return ``text`` without anything that would move a cursor or change a terminal: only lines and tabs are left.

    Of a line that was written over with carriage returns (a progress bar), what stood there last is kept.
    """
    if "\r" in text:
        text = re.sub(r"[^\n]*\r(?!\n|$)", "", text.replace("\r\n", "\n")).replace("\r", "")
    text = _CONTROLS.sub("", _ESCAPES.sub("", text))
    return text if text.isascii() else _BIDI.sub("", valid_text(text))


def last_lines(text: str, count: int) -> tuple[list[str], int]:
    """Return the last ``count`` lines of ``text``, blank ends left out, and how many lines stood before them."""
    lines = text.strip("\n").split("\n") if text.strip() else []
    left_out = max(0, len(lines) - count)
    return lines[left_out:], left_out
