"""Settings: from file and environment, each mistake with its place."""

from pathlib import Path

import pytest

from outspread.errors import UserError
from outspread.server.settings import SETTINGS, ListenAddress, Settings, parse_listen, parse_span, read_settings

HOME = Path("/home/me")


def test_without_anything_a_controller_is_for_its_own_host() -> None:
    settings = read_settings(None, {}, HOME)
    assert settings == Settings(Path("/home/me/.local/state/outspread/controller"))
    assert settings.listen.host == "127.0.0.1"


def test_a_file_and_above_it_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "farm.yaml"
    file.write_text("listen: '[::]:80'\nstate: /srv/farm\nrequire-token: true\nkeep-runs: 12h\n")
    expected = Settings(Path("/srv/farm"), ListenAddress("::", 80), require_token=True, keep_runs_s=12 * 3600.0)
    assert read_settings(file, {}, HOME) == expected
    environment = {
        "OUTSPREAD_LISTEN": "0.0.0.0:81",
        "OUTSPREAD_CONTROLLER_STATE": "/srv/other",
        "OUTSPREAD_REQUIRE_TOKEN": "no",
        "OUTSPREAD_KEEP_RUNS": "2d",
        "OUTSPREAD_LIMITS": "database=4, licence=1",
        "OUTSPREAD_QUOTAS": "me=0",
        "OUTSPREAD_WEIGHTS": "nightly=0.5",
    }
    assert set(environment) == {setting.variable for setting in SETTINGS}
    assert read_settings(file, environment, HOME) == Settings(
        Path("/srv/other"),
        ListenAddress("0.0.0.0", 81),
        keep_runs_s=2 * 86400.0,
        limits={"database": 4, "licence": 1},
        quotas={"me": 0},
        weights={"nightly": 0.5},
    )


def test_who_may_have_how_much(tmp_path: Path) -> None:
    file = tmp_path / "farm.yaml"
    file.write_text("limits:\n  database: 4\nquotas: {me: 100}\nweights:\n  nightly: 0.5\n  release: 3\n")
    policy = read_settings(file, {}, HOME).policy
    assert (policy.limit("database"), policy.limit("another")) == (4, 1)
    assert policy.quotas == {"me": 100}
    assert [policy.weight(owner) for owner in ("nightly", "release", "me")] == [0.5, 3.0, 1.0]


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "farm.yaml"
    file.write_text("# nothing yet\n")
    assert read_settings(file, {}, HOME) == read_settings(None, {}, HOME)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("state: /s\nlisten-on: x\n", r"farm\.yaml:2: there is no setting 'listen-on'"),
        ("state: /s\n\nlisten: here\n", r"farm\.yaml:3: listen 'here': it is not HOST:PORT"),
        ("listen: localhost:99999\n", "it is not HOST:PORT"),
        ("state: relative\n", "it is no absolute path"),
        ("require-token: perhaps\n", "it is neither true nor false"),
        ("keep-runs: -1h\n", "it is no span of time"),
        ("state: /s\nstate: /t\n", r"farm\.yaml:2: state is there twice"),
        ("state: [a]\n", r"farm\.yaml:1: state is one value"),
        ("limits: 4\n", r"farm\.yaml:1: limits has a value for each name"),
        ("limits:\n  db: many\n", r"farm\.yaml:2: limits: db 'many': it is no whole number"),
        ("limits:\n  db: -1\n", "it is no whole number"),
        ("limits:\n  db: 1\n  db: 2\n", r"farm\.yaml:3: db is there twice"),
        ("weights:\n  me: 0\n", "it is no number above 0"),
        ("quotas:\n  me: [1]\n", r"farm\.yaml:2: quotas has one value for each name"),
        ("- a\n", r"farm\.yaml:1: settings are written NAME: VALUE"),
        ("a: [\n", "yaml: "),
        ("[a]: b\n", "there is no setting ''"),
        ("#" * 70_000, "it is larger than 65536 bytes"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, content: str, told: str) -> None:
    file = tmp_path / "farm.yaml"
    file.write_text(content)
    with pytest.raises(UserError, match=told):
        read_settings(file, {}, HOME)


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(UserError, match=r"cannot read the configuration /nix/farm\.yaml: No such file"):
        read_settings(Path("/nix/farm.yaml"), {}, HOME)


def test_a_mistake_in_the_environment_names_the_variable() -> None:
    with pytest.raises(UserError, match="cannot use OUTSPREAD_LISTEN 'x'"):
        read_settings(None, {"OUTSPREAD_LISTEN": "x"}, HOME)
    with pytest.raises(UserError, match="cannot use OUTSPREAD_LIMITS 'x': it is not of the form"):
        read_settings(None, {"OUTSPREAD_LIMITS": "x"}, HOME)


@pytest.mark.parametrize("text", ["", ":80", "a", "a:b", "a:80:90", "http://a:80", "[::1", "::1:80", "a b:80"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_listen(text)


def test_spans() -> None:
    assert [parse_span(text) for text in ("30d", "12h", "90m", "0")] == [30 * 86400.0, 12 * 3600.0, 5400.0, 0.0]
