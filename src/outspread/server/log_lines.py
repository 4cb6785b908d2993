"""The log of a controller: an event and its fields on a line; JSON unless a terminal shows it."""

import json
import logging
import sys
from typing import Final

_OWN_FIELDS: Final = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {
    "message",
    "asctime",
    "color_message",
    "taskName",
}


def log_to_standard_error() -> None:
    """Have this process write its log there."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter() if sys.stderr.isatty() else JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        told = {"at": round(record.created, 3), "level": record.levelname.lower(), "logger": record.name}
        told["event"] = record.getMessage()
        told |= fields_of(record)
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


class LineFormatter(logging.Formatter):
    """For people."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the traceback below it where there is one."""
        fields = "".join(f" {name}={value}" for name, value in fields_of(record).items())
        line = f"{record.levelname.lower()}: {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """Return what was given with an event."""
    return {name: value for name, value in vars(record).items() if name not in _OWN_FIELDS}
