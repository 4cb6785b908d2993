"""``outspread submit``: hand jobs to a controller, and watch them."""

import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from outspread.cli.controller_options import Visitor, controller_options, in_loop
from outspread.cli.span_of_time import SpanOfTime
from outspread.errors import UserError

if TYPE_CHECKING:
    from outspread.client.drafts import Document, Draft
    from outspread.controller.command_values import CommandJob
    from outspread.store.upload import TreeUpload


@click.command()
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[- | -- COMMAND...]")
@click.option("-f", "--file", "document", type=click.Path(exists=True, dir_okay=False), help="Take the jobs from a JSON file.")
@click.option("--each", "pattern", metavar="GLOB", help="Make a job of each file that matches; {} in COMMAND is its path.")
@click.option("-i", "--input", "directory", type=click.Path(exists=True, file_okay=False), help="What the commands find.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave this out of the input, as .gitignore would.")
@click.option("-o", "--output", "outputs", multiple=True, metavar="GLOB", help="Keep these files of each job.")
@click.option("--writable", multiple=True, metavar="GLOB", help="Input files that the command may change.")
@click.option("--directory", "start", default="", metavar="DIR", help="Where in the input the command starts.")
@click.option("-e", "--env", "environment", multiple=True, metavar="NAME=VALUE", help="Set a variable.")
@click.option("--require", multiple=True, metavar="KEY=VALUE", help="A dimension that the worker must have.")
@click.option("--limit", "limits", multiple=True, metavar="NAME", help="Of jobs with this name only so many run at once.")
@click.option("--timeout", "timeout_s", type=SpanOfTime(), default=None, help="Stop a command after this time.")
@click.option("--retries", type=click.IntRange(0, 100), default=0, help="Try a failed job so often again.")
@click.option("--repeat", type=click.IntRange(1, 100_000), default=1, help="Submit each job so many times.")
@click.option("--priority", type=int, default=0, help="Higher goes first.")
@click.option("--sandbox", is_flag=True, help="Run each command in a throw-away sandbox of its worker.")
@click.option("--image", default="", metavar="DIR", help="With --sandbox: a root tree on the worker.")
@click.option("--stop-after", type=click.IntRange(0), default=0, help="Cancel the rest when so many jobs have failed.")
@click.option("-n", "--name", default="", help="What to call the run.")
@click.option("--project", default=None, help="Durations are remembered by project; the input's name unless told.")
@click.option("--run-id", default=None, help="The run's id; submitting the same again is no other run.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the end.")
@click.option("--junit", type=click.Path(dir_okay=False), help="Write a JUnit report.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines.")
@controller_options
def command(**options: object) -> int:
    """Submit jobs to a controller, and watch them to their end.

    One command: `outspread submit -i DIR -- make check`. A command a line: `outspread submit - < commands`. A job of each
    file: `outspread submit --each 'tests/test_*.py' -- pytest -q {}`. Or a file of jobs: `outspread submit -f jobs.json`.
    """
    return _Submission(**options).run()  # type: ignore[arg-type]  # click gives what is declared above


class _Submission:
    """What was asked for, parsed."""

    def __init__(
        self,
        *,
        words: tuple[str, ...],
        document: str | None,
        pattern: str | None,
        directory: str | None,
        exclude: tuple[str, ...],
        outputs: tuple[str, ...],
        writable: tuple[str, ...],
        start: str,
        environment: tuple[str, ...],
        require: tuple[str, ...],
        limits: tuple[str, ...],
        timeout_s: float | None,
        retries: int,
        repeat: int,
        priority: int,
        sandbox: bool,
        image: str,
        stop_after: int,
        name: str,
        project: str | None,
        run_id: str | None,
        no_wait: bool,
        junit: str | None,
        as_json: bool,
        url: str,
        token_file: str | None,
    ) -> None:
        from outspread.client.submission import new_run_id
        from outspread.controller.command_values import CommandJob, CommandRun, Isolation

        lines = words == ("-",)
        if document is not None and (words or pattern is not None):
            raise click.UsageError("--file has the commands itself: not with --each or a command")
        if not (words or document is not None):
            raise click.UsageError("give a command after --, or - to read commands from standard input, or --file")
        if lines and pattern is not None:
            raise click.UsageError("--each needs a command, not -")
        if no_wait and junit is not None:
            raise click.UsageError("--junit needs the end of the run: not with --no-wait")
        self._visitor = Visitor(url, token_file)
        self._exclude, self._no_wait, self._as_json = exclude, no_wait, as_json
        self._junit = Path(junit) if junit is not None else None
        inputs = Path(directory) if directory is not None else None
        if pattern is not None and inputs is None:
            inputs = Path()
        like = CommandJob(
            name="",
            command=(),
            directory=start,
            environment=_pairs("--env", environment),
            timeout_s=timeout_s or 0.0,
            retries=retries,
            outputs=outputs,
            writable=writable,
            requires=_pairs("--require", require),
            priority=priority,
            limits=limits,
            isolation=Isolation.SANDBOX if sandbox or image else Isolation.NONE,
            image=image,
        )
        told, self._drafts = _drafts(
            words, document=document, lines=lines, pattern=pattern, inputs=inputs, like=like, repeat=repeat
        )
        usual_project = (inputs or Path()).resolve().name
        self._run: CommandRun = CommandRun(
            run_id=run_id or new_run_id(),
            owner=getpass.getuser(),
            jobs=(),
            name=name or (told.name if told is not None else ""),
            project=project if project is not None else (told.project if told is not None else "") or usual_project,
            stop_after=stop_after or (told.stop_after if told is not None else 0),
        )

    def run(self) -> int:
        if self._junit is not None:
            from outspread.cli.whole_file import check_writable

            check_writable(self._junit)
        try:
            return in_loop(self._submit_and_watch())
        except KeyboardInterrupt:
            print(f"the run goes on: outspread watch {self._run.run_id}, outspread cancel {self._run.run_id}", file=sys.stderr)
            raise

    async def _submit_and_watch(self) -> int:
        from outspread.cli.watch_run import run_view, watch_run
        from outspread.client.submission import submit
        from outspread.user_directories import cache_directory

        async with self._visitor.controller() as controller, self._visitor.store() as store:
            status = await submit(
                controller,
                store,
                self._drafts,
                run=self._run,
                excluded=self._exclude,
                stat_cache=cache_directory(os.environ, Path.home()) / "digests",
                uploaded=self._uploaded,
            )
            self._visitor.last_run.remember(self._visitor.url, status.run_id)
            if not self._as_json:
                print(f"run {status.run_id}: {status.counts.total} jobs", flush=True)
            view = run_view(as_json=self._as_json)
            if self._no_wait:
                if self._as_json:
                    view.finish(status)
                return 0
            return await watch_run(controller, status.run_id, view, junit=self._junit)

    def _uploaded(self, directory: Path, upload: "TreeUpload") -> None:
        if not self._as_json:
            size = upload.uploaded_bytes / 1e6
            print(f"{directory}: {upload.files} files, {upload.uploaded_blobs} new blobs sent ({size:.1f} MB)", flush=True)


def _drafts(
    words: Sequence[str],
    *,
    document: str | None,
    lines: bool,
    pattern: str | None,
    inputs: Path | None,
    like: "CommandJob",
    repeat: int,
) -> tuple["Document | None", list["Draft"]]:
    """Return what a document says beside its jobs, and the drafts of all jobs; UserError when there are none."""
    from outspread.client import drafts

    told = None
    if document is not None:
        told, found = drafts.from_document(_read(Path(document)), beside=Path(document).parent)
    elif lines:
        found = drafts.from_lines(sys.stdin, like=like, inputs=inputs)
    elif pattern is not None:
        assert inputs is not None
        paths = sorted(str(path.relative_to(inputs)) for path in inputs.glob(pattern) if path.is_file())
        if not paths:
            raise UserError(f"cannot submit: no file in {inputs.resolve()} matches {pattern}")
        found = drafts.from_files(paths, words, like=like, inputs=inputs)
    else:
        found = [drafts.from_command(words, like=like, inputs=inputs)]
    if not found:
        raise UserError("cannot submit: there are no jobs")
    return told, drafts.repeated(found, repeat)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{option} {text!r} is not of the form NAME=VALUE")
        pairs[name] = value
    return pairs
