"""Text as Spread quotes it in its messages: Go's ``%q``."""

_NAMED = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    "\\": r"\\",
    '"': r"\"",
}
_FIRST_BYTE_ESCAPE = 0xDC80  # how Python keeps a byte that is not UTF-8 in a file name
_LAST_BYTE_ESCAPE = 0xDCFF
_LAST_TWO_DIGIT = 0x7F
_LAST_FOUR_DIGIT = 0xFFFF
_LONGEST = 1000


def go_quote(text: str) -> str:
    """Return ``text`` in double quotes, with whatever cannot be printed escaped, and not more of it than anyone reads."""
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "..."
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(map(_quoted_character, text)) + '"'


def _quoted_character(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    if character.isprintable():
        return character
    code = ord(character)
    if _FIRST_BYTE_ESCAPE <= code <= _LAST_BYTE_ESCAPE:
        return f"\\x{code - 0xDC00:02x}"
    if code <= _LAST_TWO_DIGIT:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _LAST_FOUR_DIGIT else f"\\U{code:08x}"
