"""How long something took, or still takes, as people read it."""


def span(seconds: float) -> str:
    """Return ``seconds`` in the three or so digits that matter: ``0.4s``, ``12s``, ``3m05s``, ``1h02m``."""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"
