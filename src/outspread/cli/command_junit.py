"""A run of command jobs as JUnit XML: one suite, a case for each job."""

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


async def write_junit(port: "CommandPort", status: CommandRunStatus, file: Path) -> None:
    """Write ``file`` whole or not at all; InfrastructureError when it cannot be."""
    counts = status.counts
    suite = (
        f"<testsuite name={xml_attribute(status.name or status.project or status.run_id)}"
        f' tests="{counts.total}" failures="{counts.failed}" errors="{counts.infra}" skipped="{counts.cancelled}">\n'
    )
    try:
        with whole_file(file) as target:
            target.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n{suite}'.encode())
            async for case in _cases(port, status.run_id):
                target.write(case.encode())
            target.write(b"</testsuite>\n</testsuites>\n")
    except OSError as error:
        raise InfrastructureError(f"cannot write {file}: {error.strerror}") from error


async def _cases(port: "CommandPort", run_id: str) -> AsyncIterator[str]:
    from outspread.client.following import all_jobs, log_end

    async for job in all_jobs(port, run_id):
        log = b""
        if job.outcome in {Outcome.FAILED, Outcome.TIMEOUT, Outcome.INFRA} and job.attempts and job.attempts[-1].log_bytes:
            log = await log_end(port, job.attempts[-1].attempt_id, limit_bytes=_LOG_BYTES)
        yield case(job, shown_text(log.decode("utf-8", "replace")))


def case(job: CommandJobStatus, log: str) -> str:
    """Return the element of one job."""
    took_s = sum(attempt.run_s or 0.0 for attempt in job.attempts)
    element = {Outcome.FAILED: "failure", Outcome.TIMEOUT: "failure", Outcome.INFRA: "error", Outcome.PASSED: ""}
    kind = "skipped" if job.outcome is None else element.get(job.outcome, "skipped")
    reason = job.reason or (job.attempts[-1].reason if job.attempts else "")
    typed = f" type={xml_attribute(job.outcome)}" if kind in {"failure", "error"} and job.outcome is not None else ""
    content = f"<{kind} message={xml_attribute(reason)}{typed}>{xml_text(log)}</{kind}>" if kind else ""
    return f"<testcase name={xml_attribute(job.name)} time={xml_attribute(f'{took_s:.3f}')}>{content}</testcase>\n"
