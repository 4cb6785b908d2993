"""Which image an instance is made from. Pure.

A project names a system, ``ubuntu-24.04``, or an image. What the server has under that name comes first; else it is one of an
image server: ``ubuntu:24.04``, ``images:debian/12``.
"""

from collections.abc import Sequence

from msgspec import Struct

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf", "ppc64le": "ppc64el", "i686": "i386"}


class LocalImage(Struct, frozen=True):
    """An image that the server has; ``os``, ``release`` and ``version`` in lower case."""

    fingerprint: str
    aliases: tuple[str, ...] = ()
    os: str = ""
    release: str = ""
    version: str = ""
    architecture: str = ""
    is_virtual_machine: bool = False


class RemoteImage(Struct, frozen=True):
    """An image of an image server that has to be asked for."""

    server: str  # as the client calls it
    alias: str


def local_image(name: str, images: Sequence[LocalImage], *, virtual_machine: bool) -> str:
    """Return the fingerprint of the image that is meant by ``name``, or "".

    An alias or the beginning of a fingerprint; else the only image of such a distribution and release.
    """
    fitting = [image for image in images if image.is_virtual_machine == virtual_machine]
    plain = name.removeprefix("local:")
    for image in fitting:
        if plain in image.aliases or (len(plain) >= 12 and image.fingerprint.startswith(plain)):
            return image.fingerprint
    os, dash, release = name.partition("-")
    alike = [image for image in fitting if dash and image.os == os and release in (image.release, image.version)]
    return alike[0].fingerprint if len(alike) == 1 else ""


def remote_image(name: str, machine: str) -> RemoteImage:
    """Return what to ask an image server for; ``machine`` is the host's architecture as ``uname -m`` says it."""
    server, colon, alias = name.partition(":")
    if colon:
        return RemoteImage(server, alias)
    architecture = _ARCHITECTURES.get(machine, machine)
    os, _, release = name.partition("-")
    parts = [part for part in (release.replace("-", "/"), architecture) if part]
    if os == "ubuntu":
        return RemoteImage("ubuntu", "/".join(parts))
    return RemoteImage("images", "/".join((os, *parts)))
