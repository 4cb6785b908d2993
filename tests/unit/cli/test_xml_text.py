from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from outspread.cli.xml_text import xml_attribute, xml_text

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)


@given(ANY_TEXT, ANY_TEXT)
def test_any_text_makes_a_well_formed_document(text: str, value: str) -> None:
    document = f'<?xml version="1.0" encoding="UTF-8"?><a b={xml_attribute(value)}>{xml_text(text)}</a>'.encode()
    parsed = ElementTree.fromstring(document)
    assert len(parsed.text or "") == len(text)
    assert len(parsed.attrib["b"]) == len(value)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF, exclude_characters=[chr(c) for c in range(0x7F, 0xA0)])))
def test_what_xml_can_say_comes_back_unchanged(text: str) -> None:
    text = f"<\r\n\t&\"'>]]>{text}"
    parsed = ElementTree.fromstring(f"<a b={xml_attribute(text)}>{xml_text(text)}</a>")
    assert parsed.text == text
    assert parsed.attrib["b"] == text
