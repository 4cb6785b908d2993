"""How a controller is to be: from a configuration file, the environment, and what it is where neither says anything.

The environment goes before the file. Pure but for reading the file.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from outspread.controller.farm.farm_policy import FarmPolicy
from outspread.errors import UserError
from outspread.project.durations import parse_duration_ns
from outspread.project.yaml_document import MappingNode, Node, ScalarNode, YamlError, parse_document
from outspread.user_directories import state_directory

_FILE_LIMIT_BYTES: Final = 64 * 1024
_ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):(\d{1,5})", re.ASCII)
_DAYS: Final = re.compile(r"(\d{1,5})d", re.ASCII)
_TRUTHS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_COUNT: Final = re.compile(r"\d{1,9}", re.ASCII)
_WEIGHT: Final = re.compile(r"\d{1,6}(\.\d{1,6})?", re.ASCII)
_DAY_S: Final = 24 * 3600.0


class ListenAddress(Struct, frozen=True):
    """``port`` 0: any that is free."""

    host: str
    port: int


class Settings(Struct, frozen=True):
    """``state`` is the directory that holds all that a controller keeps. ``keep_runs_s`` counts from the end of a run."""

    state: Path
    listen: ListenAddress = ListenAddress("127.0.0.1", 8080)
    require_token: bool = False
    keep_runs_s: float = 30 * _DAY_S
    limits: dict[str, int] = {}
    quotas: dict[str, int] = {}
    weights: dict[str, float] = {}

    @property
    def policy(self) -> FarmPolicy:
        """Who may have how much."""
        return FarmPolicy(limits=self.limits, quotas=self.quotas, weights=self.weights)


class Setting(Struct, frozen=True):
    """One setting: its name in the file, in the environment, the field, and how its text is read (ValueError: it cannot be).

    One ``of_names`` has a value for each of some names: a mapping in the file, ``NAME=VALUE,NAME=VALUE`` in the environment.
    """

    name: str
    variable: str
    field: str
    parse: Callable[[str], object]
    of_names: bool = False


def parse_listen(text: str) -> ListenAddress:
    """Return the address that ``HOST:PORT`` stands for; ValueError when it is none."""
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[2]) > 65535:
        raise ValueError("it is not HOST:PORT, as in 127.0.0.1:8080 or [::]:8080")
    return ListenAddress(found[1].strip("[]"), int(found[2]))


def parse_span(text: str) -> float:
    """Return the seconds that ``30d`` or ``12h`` stands for; ValueError when it is no span of time."""
    if found := _DAYS.fullmatch(text):
        return int(found[1]) * _DAY_S
    nanoseconds = parse_duration_ns(text)
    if nanoseconds is None or nanoseconds < 0:
        raise ValueError("it is no span of time, as in 30d, 12h or 90m")
    return nanoseconds / 1e9


def _parse_truth(text: str) -> bool:
    if text.lower() not in _TRUTHS:
        raise ValueError("it is neither true nor false")
    return _TRUTHS[text.lower()]


def _parse_count(text: str) -> int:
    if not _COUNT.fullmatch(text):
        raise ValueError("it is no whole number")
    return int(text)


def _parse_weight(text: str) -> float:
    if not _WEIGHT.fullmatch(text) or float(text) <= 0:
        raise ValueError("it is no number above 0, as in 2 or 0.5")
    return float(text)


def _parse_directory(text: str) -> Path:
    if not text.startswith("/"):
        raise ValueError("it is no absolute path")
    return Path(text)


SETTINGS: Final = (
    Setting("listen", "OUTSPREAD_LISTEN", "listen", parse_listen),
    Setting("state", "OUTSPREAD_CONTROLLER_STATE", "state", _parse_directory),
    Setting("require-token", "OUTSPREAD_REQUIRE_TOKEN", "require_token", _parse_truth),
    Setting("keep-runs", "OUTSPREAD_KEEP_RUNS", "keep_runs_s", parse_span),
    Setting("limits", "OUTSPREAD_LIMITS", "limits", _parse_count, of_names=True),
    Setting("quotas", "OUTSPREAD_QUOTAS", "quotas", _parse_count, of_names=True),
    Setting("weights", "OUTSPREAD_WEIGHTS", "weights", _parse_weight, of_names=True),
)


def read_settings(file: Path | None, environment: Mapping[str, str], home: Path) -> Settings:
    """Return the settings. UserError for a file or a value that cannot be used, saying where it is."""
    found = _in_file(file) if file is not None else {}
    for setting in SETTINGS:
        if text := environment.get(setting.variable, ""):
            found[setting.field] = _parsed_names(setting, text) if setting.of_names else _parsed(setting, text, setting.variable)
    return Settings(**{"state": state_directory(environment, home) / "controller", **found})  # type: ignore[arg-type] # parsed for each field


def _in_file(file: Path) -> dict[str, object]:
    try:
        with file.open("rb") as opened:
            content = opened.read(_FILE_LIMIT_BYTES + 1)
    except OSError as error:
        raise UserError(f"cannot read the configuration {file}: {error.strerror}") from error
    if len(content) > _FILE_LIMIT_BYTES:
        raise UserError(f"cannot read the configuration {file}: it is larger than {_FILE_LIMIT_BYTES} bytes")
    try:
        document = parse_document(content)
    except YamlError as error:
        raise _wrong(file, error.line, error.text) from error
    if document is None:
        return {}
    if not isinstance(document, MappingNode):
        raise _wrong(file, document.line, "settings are written NAME: VALUE")
    known = {setting.name: setting for setting in SETTINGS}
    found: dict[str, object] = {}
    for key, value in zip(document.items[::2], document.items[1::2], strict=True):
        name = key.value if isinstance(key, ScalarNode) else ""
        setting = known.get(name)
        if setting is None:
            raise _wrong(file, key.line, f"there is no setting {name!r}", hint=f"there are {', '.join(known)}")
        if setting.field in found:
            raise _wrong(file, key.line, f"{name} is there twice")
        if setting.of_names:
            found[setting.field] = _named_values(setting, value, file)
        elif isinstance(value, ScalarNode):
            found[setting.field] = _parsed(setting, value.value, f"{file}:{value.line}: {name}")
        else:
            raise _wrong(file, value.line, f"{name} is one value")
    return found


def _named_values(setting: Setting, node: Node, file: Path) -> dict[str, object]:
    if not isinstance(node, MappingNode):
        raise _wrong(file, node.line, f"{setting.name} has a value for each name: NAME: VALUE")
    found: dict[str, object] = {}
    for key, value in zip(node.items[::2], node.items[1::2], strict=True):
        if not isinstance(key, ScalarNode) or not key.value or not isinstance(value, ScalarNode):
            raise _wrong(file, key.line, f"{setting.name} has one value for each name: NAME: VALUE")
        if key.value in found:
            raise _wrong(file, key.line, f"{key.value} is there twice")
        found[key.value] = _parsed(setting, value.value, f"{file}:{value.line}: {setting.name}: {key.value}")
    return found


def _parsed_names(setting: Setting, text: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if not name or not equals:
            raise UserError(f"cannot use {setting.variable} {text[:100]!r}: it is not of the form NAME=VALUE,NAME=VALUE")
        found[name] = _parsed(setting, value, f"{setting.variable}: {name}")
    return found


def _parsed(setting: Setting, text: str, where: str) -> object:
    try:
        return setting.parse(text)
    except ValueError as error:
        raise UserError(f"cannot use {where} {text[:100]!r}: {error}") from None


def _wrong(file: Path, line: int, text: str, *, hint: str = "") -> UserError:
    return UserError(f"cannot use the configuration {file}:{line}: {text}", hint=hint)
