"""What makes two submissions the same: a digest of their content."""

import hashlib
import json

import msgspec

from outspread.controller.values import RunSpec


def run_digest(run: RunSpec) -> str:
    """Return the SHA-256 of a run's content in hexadecimal digits; the order in which mappings were filled does not matter."""
    encoder = msgspec.json.Encoder(order="deterministic")
    digest = hashlib.sha256()
    for part in (run.owner, run.options, run.project, *run.jobs):
        try:
            data = encoder.encode(part)
        except UnicodeEncodeError:  # surrogates of a path that is not UTF-8: JSON can spell them, msgspec does not
            data = json.dumps(msgspec.to_builtins(part, order="deterministic")).encode("ascii")
        digest.update(data)
        digest.update(b"\n")
    return digest.hexdigest()
