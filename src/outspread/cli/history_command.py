"""``outspread history``: what earlier runs came to."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from outspread.controller.values import RunDetail


@click.command()
@click.argument("run", required=False)
@click.option("--all", "every_project", is_flag=True, help="Show runs of all projects, not only of the one here.")
@click.option("-n", "--number", type=click.IntRange(1, 1_000_000), default=20, help="How many runs to show.")
@click.option("--log", "job", metavar="JOB", help="Print the whole log of this job's last attempt in RUN.")
@click.option("--attempt", type=click.IntRange(1, 1_000_000), help="With --log: of this attempt instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-C", "--directory", default=".", type=click.Path(exists=True, file_okay=False), help="Start in this directory.")
@click.option("--controller", "url", metavar="URL", help="Show runs of this controller instead: yours, with --all everybody's.")
@click.option(
    "--token-file", type=click.Path(exists=True, dir_okay=False), help="With --controller: read the token from this file."
)
@click.option("--job", "key", metavar="JOB", help="With --controller: show this job in earlier runs.")
@click.option("--project", help="With --job: of this project; the directory's name unless told.")
def command(
    run: str | None,
    every_project: bool,
    number: int,
    job: str | None,
    attempt: int | None,
    as_json: bool,
    directory: str,
    url: str | None,
    token_file: str | None,
    key: str | None,
    project: str | None,
) -> None:
    """Show the latest runs, or what became of the jobs of one RUN, given by the beginning of its id."""
    if url is not None:
        from outspread.cli.controller_history import ControllerHistory

        history = ControllerHistory(url, token_file, as_json=as_json)
        if key is not None:
            history.show_job(key, project or Path(directory).resolve().name, number)
        elif run is None and job is not None:
            raise click.UsageError("--log needs a RUN")
        elif run is None:
            history.show_runs(number, everybodys=every_project)
        elif job is None:
            history.show_run(run)
        else:
            history.show_log(run, job, attempt)
        return
    if key is not None or project is not None or token_file is not None:
        raise click.UsageError("--job, --project and --token-file need a --controller")
    if run is None:
        if job is not None:
            raise click.UsageError("--log needs a RUN")
        _show_runs(number, "" if every_project else directory, as_json=as_json)
        return
    from outspread.cli.history_here import run_detail_here

    detail = run_detail_here(run)
    if job is None:
        _show_run(detail, as_json=as_json)
    else:
        _show_log(detail, job, attempt)


def _show_runs(number: int, directory: str, *, as_json: bool) -> None:
    from outspread.cli.history_here import history_here
    from outspread.cli.history_view import history_lines

    runs = history_here(number, project_root=_root_of(directory) if directory else "")
    if as_json:
        _print_json(runs)
    elif runs:
        sys.stdout.writelines(f"{line}\n" for line in history_lines(runs, with_roots=not directory))
    else:
        print("no runs yet" if directory == "" else "no runs of this project yet (--all shows those of others)", file=sys.stderr)


def _root_of(directory: str) -> str:
    """Return the directory by which the project here is known in the record."""
    from outspread.project.host_commands import no_host_commands
    from outspread.project.loader import load_project
    from outspread.project.model import Flavour

    return load_project(Path(directory), flavour=Flavour.SPREAD, host=no_host_commands).root


def _show_run(detail: "RunDetail", *, as_json: bool) -> None:
    from outspread.cli.history_view import run_lines

    if as_json:
        _print_json(detail)
    else:
        sys.stdout.writelines(f"{line}\n" for line in run_lines(detail))


def _show_log(detail: "RunDetail", job: str, attempt: int | None) -> None:
    """Print the log as it was, bytes that are no text included."""
    from outspread.cli.history_here import attempt_log_here
    from outspread.cli.history_view import log_of
    from outspread.errors import UserError

    record = log_of(detail, job, attempt)
    if record is None:
        which = f"attempt {attempt} of {job}" if attempt else job
        raise UserError(f"cannot show the log of {which}: run {detail.summary.run_id} has no such attempt")
    log = attempt_log_here(detail.summary.run_id, record.job, record.attempt)
    sys.stdout.buffer.write(log.encode(errors="surrogateescape"))


def _print_json(value: object) -> None:
    import msgspec

    from outspread.cli.json_lines import valid_json

    print(msgspec.json.format(valid_json(value), indent=2).decode())
