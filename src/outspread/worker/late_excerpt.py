"""What a "running late" warning shows of a script's output: only what is new since the last one, and only its end."""

_SHOWN_LINES = 10
_SHOWN_WITHOUT_CUT = 13
_FLOOD_LOOK_BACK = 64 * 1024  # characters


def late_excerpt(output: str, seen: int, *, unchanged: bool) -> str:
    """Return the warning's text for ``output``, of which the first ``seen`` characters were there at the last warning.

    ``unchanged`` says that nothing was printed since, which the length of a flood cut to its two ends does not tell.
    What is new begins with the start of the last line shown before; more than a screenful is cut to its last lines.
    """
    if not output.strip():
        return "Output still empty."
    if seen and unchanged:
        return "Output unchanged."
    if seen >= len(output):  # more was left out of the middle: what is new is at the end
        seen = max(0, len(output) - _FLOOD_LOOK_BACK)
    start = output.rfind("\n", 0, seen) + 1 if seen else 0
    new = output[start:].strip("\n")
    lines = new.split("\n")
    if len(lines) > _SHOWN_WITHOUT_CUT:
        hidden = len(lines) - _SHOWN_LINES
        new = "\n".join([f"(... {hidden} lines above ...)", *lines[-_SHOWN_LINES:]])
    elif start:
        new = f"(...)\n{new}"
    return f"Current output:\n{new}"
