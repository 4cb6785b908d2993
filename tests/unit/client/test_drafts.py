"""Jobs from each form in which people write them."""

from pathlib import Path

import pytest

from outspread.client.drafts import Draft, from_command, from_document, from_files, from_lines, repeated
from outspread.controller.command_values import CommandJob
from outspread.errors import UserError

LIKE = CommandJob(name="", command=(), retries=2)
DIGEST = f"{'a' * 64}/12"


def test_a_command_is_named_as_it_is_written() -> None:
    draft = from_command(["echo", "a b", "c"], like=LIKE, inputs=Path("in"))
    assert draft == Draft(CommandJob(name="echo 'a b' c", command=("echo", "a b", "c"), retries=2), Path("in"))


def test_commands_that_cannot_be_names_get_one_that_is_their_own() -> None:
    def name(*command: str) -> str:
        return from_command(command, like=LIKE, inputs=None).job.name

    assert len(name("x" * 500)) == 200
    assert name("x" * 500) != name("x" * 501)
    assert name("printf", "a\nb").startswith("printf 'a b'... ")
    assert name("printf", "a\nb") != name("printf", "a\tb")
    assert name("\udcff").isprintable()


def test_lines_are_shell_commands_and_told_apart() -> None:
    drafts = from_lines(b"make a | tee log\n# no\n\nmake a | tee log", like=LIKE, inputs=None)
    assert [draft.job.command for draft in drafts] == [("/bin/sh", "-c", "make a | tee log")] * 2
    assert [(draft.job.name, draft.job.key) for draft in drafts] == [
        ("make a | tee log", ""),
        ("make a | tee log #2", "make a | tee log"),
    ]


def test_a_number_that_is_taken_is_not_used() -> None:
    drafts = from_lines(b"x\nx #2\nx\nx\n", like=LIKE, inputs=None)
    assert [draft.job.name for draft in drafts] == ["x", "x #2", "x #3", "x #4"]


def test_lines_that_are_no_text_are_named() -> None:
    with pytest.raises(UserError, match="line 2 is not UTF-8"):
        from_lines(b"a\n\xff\nb", like=LIKE, inputs=None)


def test_each_file_takes_the_place_of_the_braces() -> None:
    drafts = from_files(["a b.py", "c.py"], ["pytest", "-q", "{}", "--log={}.log"], like=LIKE, inputs=Path())
    assert [draft.job.name for draft in drafts] == ["a b.py", "c.py"]
    assert drafts[0].job.command == ("pytest", "-q", "a b.py", "--log=a b.py.log")
    with pytest.raises(UserError, match=r"no \{\}"):
        from_files(["a"], ["pytest"], like=LIKE, inputs=Path())


def test_a_document_names_directories_beside_it_or_digests() -> None:
    content = b"""{"name": "n", "project": "p", "stop_after": 3, "jobs": [
        {"name": "a", "command": ["x"], "inputs": "build"},
        {"name": "b", "command": ["x"], "inputs": "%s"},
        {"name": "c", "command": ["x"]}]}""" % DIGEST.encode()
    document, drafts = from_document(content, beside=Path("/where"))
    assert (document.name, document.project, document.stop_after) == ("n", "p", 3)
    assert [(draft.inputs, draft.job.inputs) for draft in drafts] == [(Path("/where/build"), ""), (None, DIGEST), (None, "")]
    _, (only,) = from_document(b' [{"name": "a", "command": ["x"]}]', beside=Path())
    assert only.job.name == "a"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot read jobs"),
        (b"[{]", "cannot read jobs"),
        (b'[{"name": "a", "command": ["x"]}, {"name": "b"}]', r"\$\[1\]"),
        (b'{"jobs": [{"name": "a", "command": ["x"], "colour": 1}]}', r"colour.*\$\.jobs\[0\]"),
        (b'{"jobs": [], "colour": 1}', "colour"),
        (b'[{"name": "\xff", "command": ["x"]}]', "cannot read jobs"),
        (b'[{"name": "a", "command": "x"}]', r"\$\[0\]\.command"),
    ],
)
def test_a_document_that_is_none_is_refused_with_the_place(content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_document(content, beside=Path())


def test_more_than_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outspread.client.drafts.INPUT_LIMIT_BYTES", 10)
    with pytest.raises(UserError, match="cannot read jobs: there is more than"):
        from_document(b"[" + b" " * 10 + b"]", beside=Path())
    with pytest.raises(UserError, match="cannot read jobs: there is more than"):
        from_lines(b"x" * 11, like=LIKE, inputs=None)


def test_repeated_jobs_share_their_history() -> None:
    draft = from_command(["x"], like=LIKE, inputs=None)
    assert repeated([draft], 1) == [draft]
    assert [(each.job.name, each.job.key) for each in repeated([draft], 2)] == [("x #1", "x"), ("x #2", "x")]
