"""The text of a "running late" warning."""

from outspread.worker.late_excerpt import late_excerpt


def test_nothing_was_printed_yet() -> None:
    assert late_excerpt("", 0, unchanged=False) == "Output still empty."


def test_nothing_new_was_printed() -> None:
    assert late_excerpt("one\ntwo\n", 8, unchanged=True) == "Output unchanged."


def test_the_first_warning_shows_all_there_is() -> None:
    assert late_excerpt("one\ntwo\n", 0, unchanged=False) == "Current output:\none\ntwo"


def test_later_ones_go_on_from_the_start_of_the_last_line_shown() -> None:
    assert late_excerpt("one\ntwo and a half\nthree\n", 7, unchanged=False) == "Current output:\n(...)\ntwo and a half\nthree"


def test_more_than_a_screenful_is_cut_to_its_end() -> None:
    text = "".join(f"line {n}\n" for n in range(20))
    lines = late_excerpt(text, 0, unchanged=False).splitlines()
    assert lines[:2] == ["Current output:", "(... 10 lines above ...)"]
    assert lines[2:] == [f"line {n}" for n in range(10, 20)]


def test_thirteen_lines_are_not_cut() -> None:
    text = "".join(f"line {n}\n" for n in range(13))
    assert late_excerpt(text, 0, unchanged=False).splitlines()[1:] == text.splitlines()


def test_a_flood_that_stays_as_long_is_not_unchanged() -> None:
    flood = "head\n" + "".join(f"line {n:07}\n" for n in range(20_000))
    lines = late_excerpt(flood, len(flood), unchanged=False).splitlines()
    assert lines[0] == "Current output:"
    assert lines[1].endswith("lines above ...)")
    assert lines[-1] == "line 0019999"
