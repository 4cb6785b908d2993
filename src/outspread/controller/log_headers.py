"""The headers that say what part of a log an HTTP answer is: for both sides of the command port over HTTP."""

from typing import Final

LOG_OFFSET: Final = "outspread-log-offset"
LOG_TOTAL: Final = "outspread-log-total"
LOG_ENDED: Final = "outspread-log-ended"
