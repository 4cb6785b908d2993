"""The fields that mean something, level by level, and what to say of others: they are ignored, but seldom on purpose."""

from enum import StrEnum


class FieldLevel(StrEnum):
    """Where a field is written."""

    PROJECT = "project"
    BACKEND = "backend"
    SYSTEM = "system"
    SUITE = "suite"
    TASK = "task"


_SIX_SCRIPTS = {"prepare", "restore", "debug", "prepare-each", "restore-each", "debug-each"}
_TIMEOUTS = {"warn-timeout", "kill-timeout"}
_MATRIX = {"environment", "variants", "priority", "manual"}

KNOWN_FIELDS: dict[FieldLevel, frozenset[str]] = {
    FieldLevel.PROJECT: frozenset(
        {"project", "path", "backends", "suites", "environment", "include", "exclude", "rename", "repack", "reroot"}
        | {"artifacts", "tasks-limit"}
        | _SIX_SCRIPTS
        | _TIMEOUTS
    ),
    FieldLevel.BACKEND: frozenset(
        {"type", "systems", "key", "allocate", "discard", "memory", "plan", "location", "storage", "account", "endpoint"}
        | {"networks", "groups", "halt-timeout", "wait-timeout", "proxy", "cidr-port-rel", "volume-auto-delete"}
        | {"options", "profiles", "config", "vm"}
        | _SIX_SCRIPTS
        | _TIMEOUTS
        | _MATRIX
    ),
    FieldLevel.SYSTEM: frozenset(
        {"image", "kernel", "username", "password", "workers", "storage", "plan", "networks", "groups", "secure-boot"}
        | {"bios", "cpu-family", "wait-timeout", "ssh-rsa-key", "ssh-key-pass", "queue", "reserve-key"}
        | {"provision-data", "attach-service-account"}
        | {"architecture", "cores", "device-backends", "saved-state"}
        | {"options", "profiles", "config", "vm"}
        | _MATRIX
    ),
    FieldLevel.SUITE: frozenset({"summary", "backends", "systems", "artifacts", "skip"} | _SIX_SCRIPTS | _TIMEOUTS | _MATRIX),
    FieldLevel.TASK: frozenset(
        {"summary", "details", "backends", "systems", "samples", "prepare", "execute", "restore", "debug", "artifacts", "skip"}
        | _TIMEOUTS
        | _MATRIX
    ),
}

#: Fields that may be written in several pieces: a quirk of the library that Spread reads YAML with.
UNITED_FIELDS = {FieldLevel.PROJECT: ("backends", "suites")}

_ARTICLES = {FieldLevel.PROJECT: "the project"}


def is_meant_to_be_ignored(name: str, level: FieldLevel) -> bool:
    """Tell whether a field only holds what others refer to: ``x-`` fields of the project, as is the custom."""
    return level is FieldLevel.PROJECT and name.startswith(("x-", "."))


def hint_for_unknown(name: str, level: FieldLevel) -> str:
    """Return what was probably meant by a field that ``level`` does not have; empty when there is no telling."""
    if len(name) > max(map(len, KNOWN_FIELDS[level])) * 2:
        return ""
    usual = name.lower().replace("_", "-")
    if usual in KNOWN_FIELDS[level]:
        return f"did you mean {usual}?"
    places = [_ARTICLES.get(other, f"a {other}") for other in FieldLevel if name in KNOWN_FIELDS[other]]
    if places:
        return f"it belongs to {' or '.join(places)}"
    import difflib

    close = difflib.get_close_matches(usual, sorted(KNOWN_FIELDS[level]), n=1, cutoff=0.75)
    return f"did you mean {close[0]}?" if close else ""
