"""Spans of time as people and ``spread.yaml`` write them."""


def span_text(seconds: float) -> str:
    """Return ``seconds`` as in ``1h30m``, ``14m59s`` or ``0.5s``."""
    if seconds < 60:
        return f"{seconds:g}s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return "".join(f"{count}{unit}" for count, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if count)
