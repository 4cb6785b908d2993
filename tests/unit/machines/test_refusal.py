"""Why there can be no sandbox, in words."""

import errno
import os

import pytest

from outspread.machines.sandbox import refusal


def explained(monkeypatch: pytest.MonkeyPatch, number: int, what: str, files: dict[str, str], uid: int = 1000) -> list[str]:
    monkeypatch.setattr(refusal, "_read", lambda path: files.get(path, ""))
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    return refusal.explain(OSError(number, os.strerror(number), what), "enter namespaces").split(refusal.HINT)


@pytest.mark.parametrize(
    ("number", "file", "value", "setting"),
    [
        (errno.EPERM, "/proc/sys/kernel/unprivileged_userns_clone", "0\n", "kernel.unprivileged_userns_clone=1"),
        (errno.ENOSPC, "/proc/sys/user/max_user_namespaces", "0\n", "user.max_user_namespaces=10000"),
        (
            errno.EACCES,
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1\n",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ],
)
def test_a_switch_that_is_off_is_named(monkeypatch: pytest.MonkeyPatch, number: int, file: str, value: str, setting: str) -> None:
    why, hint = explained(monkeypatch, number, "unshare", {file: value})
    assert why == f"cannot enter namespaces: unshare: {os.strerror(number)}; {setting.partition('=')[0]} is {value.strip()}"
    assert hint.endswith(f"sysctl -w {setting}")


def test_without_a_switch_to_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "run as root" in explained(monkeypatch, errno.EPERM, "unshare", {})[1]
    assert "CAP_SYS_ADMIN" in explained(monkeypatch, errno.EPERM, "unshare", {}, uid=0)[1]


def test_overlays(monkeypatch: pytest.MonkeyPatch) -> None:
    why, hint = explained(monkeypatch, errno.ENODEV, "mount of overlay on /x", {"/proc/filesystems": "\text4\n"})
    assert "no overlayfs" in why
    assert "modprobe overlay" in hint
    why, hint = explained(monkeypatch, errno.EINVAL, "mount of overlay on /x", {"/proc/filesystems": "nodev\toverlay\n"})
    assert "stacked twice" in hint
