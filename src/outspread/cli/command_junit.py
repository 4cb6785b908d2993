"""A run of command jobs as JUnit XML: one suite, a case for each job."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from outspread.cli.terminal_text import shown_text
from outspread.cli.whole_file import whole_file
from outspread.cli.xml_text import xml_attribute, xml_text
from outspread.controller.command_values import CommandJobStatus, CommandRunStatus
from outspread.controller.values import Outcome
from outspread.errors import InfrastructureError

if TYPE_CHECKING:
    from outspread.controller.command_port import CommandPort

_LOG_BYTES: Final = 256 * 1024
_ELEMENTS: Final = {Outcome.FAILED: "failure", Outcome.TIMEOUT: "failure", Outcome.INFRA: "error", Outcome.PASSED: ""}
_FAILURES: Final = (Outcome.FAILED, Outcome.TIMEOUT, Outcome.INFRA)


async def write_junit(port: "CommandPort", status: CommandRunStatus, file: Path) -> None:
    """Write ``file`` whole or not at all; InfrastructureError when it cannot be."""
    try:
        with whole_file(file) as target:
            target.write(_head(status).encode())
            async for element in _cases(port, status):
                target.write(element.encode())
            target.write(b"</testsuite>\n</testsuites>\n")
    except OSError as error:
        raise InfrastructureError(f"cannot write {file}: {error.strerror}") from error


def _head(status: CommandRunStatus) -> str:
    counts = status.counts
    took_s = (status.finished_at or status.submitted_at) - status.submitted_at
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(status.submitted_at))
    numbers = (
        f'tests="{counts.total}" failures="{counts.failed}" errors="{counts.infra}"'
        f' skipped="{counts.cancelled}" time="{took_s:.3f}"'
    )
    name = xml_attribute(_suite(status))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name={name} {numbers}>\n'
        f'<testsuite name={name} {numbers} timestamp="{stamp}">\n'
    )


def _suite(status: CommandRunStatus) -> str:
    return status.project or status.name or status.run_id


async def _cases(port: "CommandPort", status: CommandRunStatus) -> AsyncIterator[str]:
    from outspread.client.at_once import answers
    from outspread.client.following import all_jobs, log_end

    async def log_of(job: CommandJobStatus) -> bytes:
        if job.outcome not in _FAILURES or not job.attempts or not job.attempts[-1].log_bytes:
            return b""
        return await log_end(port, job.attempts[-1].attempt_id, limit_bytes=_LOG_BYTES)

    async for job, log in answers(all_jobs(port, status.run_id), log_of):
        yield case(job, shown_text(log.decode("utf-8", "replace")), suite=_suite(status))


def case(job: CommandJobStatus, log: str, *, suite: str) -> str:
    """Return the element of one job."""
    took_s = sum(attempt.run_s or 0.0 for attempt in job.attempts)
    kind = "skipped" if job.outcome is None else _ELEMENTS.get(job.outcome, "skipped")
    reason = job.reason or (job.attempts[-1].reason if job.attempts else "")
    typed = f" type={xml_attribute(job.outcome)}" if kind in {"failure", "error"} and job.outcome is not None else ""
    content = f"<{kind} message={xml_attribute(reason)}{typed}>{xml_text(log)}</{kind}>" if kind else ""
    names = f"classname={xml_attribute(suite)} name={xml_attribute(job.name)}"
    return f"<testcase {names} time={xml_attribute(f'{took_s:.3f}')}>{content}</testcase>\n"
