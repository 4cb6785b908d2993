"""Which scripts a step is made of, where it runs and how it is named."""

import pytest

from outspread.controller.values import Level, Verb
from outspread.project.model import Backend, Job, Project, Scripts, Suite, System, Task
from outspread.worker.step_scripts import artifacts_directory, context_name, debug_parts, script_parts, working_directory


def scripts_of(level: str) -> Scripts:
    return Scripts(*(f"{level} {name}" for name in ("prepare", "restore", "debug", "prepare-each", "restore-each", "debug-each")))


TASK = Task("s/t", "s/", "summary", execute="run\n", scripts=scripts_of("task"))
SUITE = Suite("s/", "summary", {"s/t": TASK}, scripts=scripts_of("suite"))
BACKEND = Backend("lxd", "lxd", {"debian-12": System("debian-12", "lxd")}, scripts=scripts_of("backend"))
PROJECT = Project("p", "/root", "/root/spread.yaml", "/p", {"lxd": BACKEND}, {"s/": SUITE}, scripts=scripts_of("project"))
JOB = Job("lxd:debian-12:s/t", "lxd", "debian-12", "s/", "s/t")


def test_a_job_is_prepared_from_the_widest_level_inwards() -> None:
    assert script_parts(PROJECT, JOB, Verb.PREPARE, Level.TASK) == (
        "project prepare-each",
        "backend prepare-each",
        "suite prepare-each",
        "task prepare",
    )


def test_a_job_is_restored_from_the_task_outwards() -> None:
    assert script_parts(PROJECT, JOB, Verb.RESTORE, Level.TASK) == (
        "task restore",
        "suite restore-each",
        "backend restore-each",
        "project restore-each",
    )


def test_execute_is_the_tasks_own_text_without_the_space_around_it() -> None:
    assert script_parts(PROJECT, JOB, Verb.EXECUTE, Level.TASK) == ("run",)


@pytest.mark.parametrize("level", [Level.PROJECT, Level.BACKEND, Level.SUITE])
def test_a_level_above_has_one_script_for_each_verb(level: Level) -> None:
    assert script_parts(PROJECT, JOB, Verb.PREPARE, level) == (f"{level} prepare",)
    assert script_parts(PROJECT, JOB, Verb.RESTORE, level) == (f"{level} restore",)
    assert debug_parts(PROJECT, JOB, level) == (f"{level} debug",)


def test_a_failed_job_is_looked_at_by_all_levels() -> None:
    assert debug_parts(PROJECT, JOB, Level.TASK) == ("task debug", "suite debug-each", "backend debug-each", "project debug-each")


def test_parts_that_are_not_there_are_left_out() -> None:
    bare = Project(
        "p", "/root", "f", "/p", {"lxd": Backend("lxd", "lxd", {})}, {"s/": Suite("s/", "s", {"s/t": Task("s/t", "s/", "s")})}
    )
    for verb in (Verb.PREPARE, Verb.EXECUTE, Verb.RESTORE):
        assert script_parts(bare, JOB, verb, Level.TASK) == ()


def test_where_and_how_named() -> None:
    assert [working_directory(PROJECT, JOB, level) for level in Level] == ["/p", "/p", "/p/s/t", "/p/s/t"]
    assert [context_name(JOB, level) for level in Level] == [
        "lxd:debian-12",
        "lxd:debian-12",
        "lxd:debian-12:s/",
        "lxd:debian-12:s/t",
    ]
    assert artifacts_directory(JOB, Level.SUITE) == "lxd:debian-12:s/"
    assert artifacts_directory(JOB, Level.PROJECT) == ""
