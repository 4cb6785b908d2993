import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.project.errors import ProjectError
from outspread.project.host_commands import HostCommands, no_host_commands
from outspread.project.host_references import expand_host, expand_references, is_one_reference


class Echo:
    def output_of(self, command: str) -> str:
        return f"<{command}>"


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("$(HOST:a)", "<a>"),
        ("x$(HOST: a)y$(HOST: b; c)z", "x< a>y< b; c>z"),
        ("$(HOST:)", "$(HOST:)"),
        ("$(HOST:)x)", "<)x>"),
        ("$(host: a)", "$(host: a)"),
        ("$(HOST: a", "$(HOST: a"),
        ("$A $(cmd) `x` ${B}", "$A $(cmd) `x` ${B}"),
        ("$(HOST: echo $(date))", "< echo $(date)>"),
        ("$(HOST: echo $((1+2)) )b)", "< echo $((1+2)) >b)"),
        ('$(HOST: echo ")" )', '< echo ")" >'),
        ("$(HOST: echo '(' )", "< echo '(' >"),
        ("$(HOST: echo \\( )", "< echo \\( >"),
        ("$(HOST: echo it's)", "< echo it's>"),
        ("$(HOST: a # (b) c", "< a # (b>" + " c"),
        ("$(HOST: a ( b)", "< a ( b>"),
        ("$(HOST: a\nb)", "< a\nb>"),
        ("$(HOST: $(HOST: a))", "< $(HOST: a)>"),
    ],
)
def test_commands(text: str, expanded: str) -> None:
    assert expand_host(text, Echo(), owner="x") == expanded


def test_output_is_not_looked_at_again() -> None:
    class Twice:
        def output_of(self, command: str) -> str:
            return "$(HOST:b)$A" if command == "a" else "never"

    assert expand_references("$(HOST:a)", {"A": "1"}, Twice(), owner="x") == "$(HOST:b)$A"


def test_variables() -> None:
    text = "$A ${A}b $AB $ $1 ${A-x} $(HOST:c)$A"
    assert expand_references(text, {"A": "1"}, Echo(), owner="x") == "1 1b  $ $1 ${A-x} <c>1"


@pytest.mark.parametrize("text", ["$A", "${A_1}", "$(HOST: a)", "$(HOST: a $(b))"])
def test_one_reference(text: str) -> None:
    assert is_one_reference(text)


@pytest.mark.parametrize("text", ["", "A", "$Ax ", "a$A", "${A}b", "$(HOST:a)b", "$(cmd)", "$1"])
def test_not_one_reference(text: str) -> None:
    assert not is_one_reference(text)


def test_a_failure_names_the_owner(host: HostCommands) -> None:
    host.answers = {"no": "!err1; err2"}  # type: ignore[attr-defined]
    with pytest.raises(ProjectError) as caught:
        expand_host("$(HOST:no)", host, owner='backend "b"')
    assert str(caught.value) == '$(HOST:no) in backend "b" environment returned error: err1; err2'


@given(st.text("$(HOST:)'\"\\ab "))
def test_without_commands_texts_stay_as_they_are(text: str) -> None:
    assert expand_host(text, no_host_commands, owner="x") == text


@given(st.text("ab$;| \n{}", min_size=1), st.text("ab \n"))
def test_commands_without_parentheses_end_where_spread_ends_them(command: str, behind: str) -> None:
    assert expand_host(f"$(HOST:{command}){behind}", Echo(), owner="x") == f"<{command}>{behind}"
