"""Values whose double quotes the shell on the machine takes away.

Spread exports ``NAME="value"`` without escaping what the value holds; one that begins with a quote is exported as it is.
"""

import re

# What keeps its own quotes: commands and references inside the outer quotes, and what is escaped.
_KEPT = re.compile(r"\\.|`(?:\\.|[^`\\])*`|\$\(\(?[^()]*(?:\([^()]*\)[^()]*)*\)|\$\{[^{}]*\}", re.DOTALL)
_LONGEST = 10_000


def loses_quotes(value: str) -> bool:
    """Tell whether double quotes written in ``value`` are gone when a script sees it."""
    if value.startswith(("'", '"')) or len(value) > _LONGEST:
        return False
    return '"' in _KEPT.sub("", value)
