"""``outspread discard``: give back machines that outlived their run."""

import sys

import click

from outspread.cli.project_options import project_options


@click.command()
@project_options
@click.option("--reuse-pid", type=click.IntRange(min=1), help="Those that the process of this number noted.")
@click.option("--run", "run", metavar="RUN", help="Those that are left of this run, given by the beginning of its id.")
@click.option("--orphans", is_flag=True, help="Those of all runs that were killed, whatever their project.")
@click.option("--machine", metavar="MACHINE", help="The one of this label or address, or whose id begins so.")
@click.option("--expired", is_flag=True, help="Those whose hold is over; with --run, those of that run.")
@click.option("-v", "--verbose", count=True, help="Say more.")
def command(
    filters: tuple[str, ...],
    directory: str,
    sandbox: bool,
    flavour: str,
    strict: bool,
    reuse_pid: int | None,
    run: str | None,
    orphans: bool,
    machine: str | None,
    expired: bool,
    verbose: int,
) -> int:
    """Give back the machines that `outspread run --reuse` kept for this project: those of jobs that match any FILTER, or all."""
    ways = (reuse_pid is not None, run is not None and not expired, orphans, machine is not None, expired)
    if sum(ways) > 1:
        raise click.UsageError("use only one of --reuse-pid, --run, --orphans, --machine and --expired")
    if filters and any(ways[1:]):
        raise click.UsageError("a FILTER goes with --reuse-pid only")
    from outspread.cli.discard_here import discard_expired, discard_machine, discard_noted, discard_of_run, discard_orphans
    from outspread.cli.discard_view import show_discarding

    def say(text: str) -> None:
        print(text, file=sys.stderr)

    if expired:
        discarded = discard_expired(run or "", show=show_discarding, say=say)
    elif machine is not None:
        discarded = discard_machine(machine, show=show_discarding, say=say)
    elif run is not None:
        discarded = discard_of_run(run, show=show_discarding, say=say)
    elif orphans:
        discarded = discard_orphans(show=show_discarding, say=say)
    else:
        from outspread.cli.keep_wish import KeepWish
        from outspread.cli.selection import Wish, project_and_systems

        wish = Wish(filters, directory=directory, flavour=flavour, sandbox=sandbox, strict=strict, every_warning=verbose > 0)
        project, systems = project_and_systems(wish)
        keep = KeepWish(reuse=not reuse_pid, reuse_pid=reuse_pid or 0)
        discarded = discard_noted(project, systems, keep, show=show_discarding, say=say)
    for other in discarded.unknown:
        say(f"left alone: {other}, which is not in the record: its run may be going on elsewhere")
    if not discarded.found:
        say("nothing to discard")
    return 1 if discarded.failed else 0
