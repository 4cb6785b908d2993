from outspread.cli.sandbox_option import with_sandbox
from outspread.project.model import Backend, Project, Suite, System

PROJECT = Project(
    name="demo",
    root="/src/demo",
    file="/src/demo/spread.yaml",
    path="/home/demo",
    backends={"lxd": Backend("lxd", "lxd", {"ubuntu-24.04": System("ubuntu-24.04", "lxd")}, environment=(("A", "1"),))},
    suites={"tests/": Suite("tests/", "All", {})},
    environment=(("B", "2"),),
)


def test_the_sandbox_is_the_only_backend_and_all_else_stays() -> None:
    changed = with_sandbox(PROJECT, "debian-12")
    assert list(changed.backends) == ["sandbox"]
    backend = changed.backends["sandbox"]
    assert (backend.name, backend.type) == ("sandbox", "sandbox")
    assert backend.systems == {"debian-12": System("debian-12", "sandbox")}
    assert (changed.suites, changed.environment, changed.path) == (PROJECT.suites, PROJECT.environment, PROJECT.path)
    assert list(PROJECT.backends) == ["lxd"]
