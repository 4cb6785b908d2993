"""Any text made fit for an XML 1.0 document, whatever a test printed."""

import re

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_IN_ATTRIBUTES = _ENTITIES | {"\n": "&#10;", "\t": "&#9;"}
_SPECIAL = re.compile(f"[{''.join(_ENTITIES)}]")
_SPECIAL_IN_ATTRIBUTES = re.compile(f"[{''.join(_IN_ATTRIBUTES)}]")


def xml_text(text: str) -> str:
    """Return ``text`` as the content of an element; what XML cannot say at all becomes U+FFFD."""
    return _SPECIAL.sub(lambda match: _ENTITIES[match[0]], _FORBIDDEN.sub("\ufffd", text))


def xml_attribute(text: str) -> str:
    """Return ``text`` as the value of an attribute, quotes included; lines stay lines."""
    return '"' + _SPECIAL_IN_ATTRIBUTES.sub(lambda match: _IN_ATTRIBUTES[match[0]], _FORBIDDEN.sub("\ufffd", text)) + '"'
