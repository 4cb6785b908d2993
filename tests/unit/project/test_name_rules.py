import pytest

from outspread.project.model import Flavour
from outspread.project.name_rules import is_plain_name, is_suite_name, is_system_name, is_task_name, is_variable_key


@pytest.mark.parametrize("name", ["a", "a-b", "a.b_c", "0", "lxd-vm"])
def test_plain_names(name: str) -> None:
    assert is_plain_name(name)


@pytest.mark.parametrize("name", ["", "A", "a-", "-a", "a--b", "a/b", "a\n", "\u00e9"])
def test_no_plain_names(name: str) -> None:
    assert not is_plain_name(name)


@pytest.mark.parametrize(
    ("name", "spread", "plus"),
    [
        ("ubuntu-16.04", True, True),
        ("*", False, False),
        ("*-*", True, True),
        ("u2-16.04", False, True),
        ("2u-16.04", False, False),
        ("ubuntu", False, False),
        ("ubuntu-16_04", False, False),
        ("ubuntu-16.04-64\n", False, False),
    ],
)
def test_system_names(name: str, spread: bool, plus: bool) -> None:
    assert is_system_name(name, Flavour.SPREAD) is spread
    assert is_system_name(name, Flavour.SPREAD_PLUS) is plus


def test_suites_and_tasks() -> None:
    assert is_suite_name("tests/main/")
    assert not is_suite_name("tests//")
    assert not is_suite_name("/tests/")
    assert is_task_name("tests/a_b")
    assert not is_task_name("tests/a-")
    assert not is_task_name("tests")


@pytest.mark.parametrize("key", ["A", "_a1", "A/b", "A/b,C_1"])
def test_variables(key: str) -> None:
    assert is_variable_key(key)


@pytest.mark.parametrize("key", ["", "1A", "A/", "A/b,", "A/b-c", "A/b/c", "A B"])
def test_no_variables(key: str) -> None:
    assert not is_variable_key(key)
