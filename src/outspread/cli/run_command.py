"""``outspread run``: run jobs, and show how they go."""

import click

from outspread.cli.project_options import project_options
from outspread.cli.span_of_time import SpanOfTime

#: As in ``controller.values.Order``, which is not imported for a help text.
ORDERS = ("random", "longest", "given")


@click.command()
@project_options
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, help="Seed of the order of jobs; 0 chooses one.")
@click.option(
    "--order", type=click.Choice(ORDERS), default="random", help="In which order jobs are run, within their priorities."
)
@click.option("--repeat", type=click.IntRange(min=0), default=0, help="Run each job this many times more, while it passes.")
@click.option("--workers", type=click.IntRange(min=0), default=0, help="Machines per system; 0: as the project says.")
@click.option("--reuse", is_flag=True, help="Keep machines, and use those that are kept.")
@click.option("--resend", is_flag=True, help="Send the project to kept machines again.")
@click.option(
    "--keep-failed",
    type=SpanOfTime(),
    default=0.0,
    metavar="TIME",
    help="Hold the machines of failed jobs for so long, as in 1h.",
)
@click.option("--restore", is_flag=True, help="Run the restore scripts only.")
@click.option("--abend", is_flag=True, help="Stop a machine's work at its first failure, without restoring.")
@click.option("--debug", is_flag=True, help="Open a shell after a failing script.")
@click.option("--shell", is_flag=True, help="Open a shell instead of executing tasks.")
@click.option("--shell-before", is_flag=True, help="Open a shell before executing each task.")
@click.option("--shell-after", is_flag=True, help="Open a shell after executing each task.")
@click.option("--live", is_flag=True, help="Show what scripts print while they run.")
@click.option("--artifacts", type=click.Path(file_okay=False), help="Keep the artifacts of tasks in this directory.")
@click.option("--junit", type=click.Path(dir_okay=False), help="Write the results as JUnit XML into this file.")
@click.option("--json", "as_json", is_flag=True, help="Print what happens as JSON lines.")
@click.option("-v", "--verbose", count=True, help="Say more; twice: also the output of scripts that passed.")
def command(
    filters: tuple[str, ...],
    directory: str,
    sandbox: bool,
    flavour: str,
    strict: bool,
    seed: int,
    order: str,
    repeat: int,
    workers: int,
    reuse: bool,
    resend: bool,
    keep_failed: float,
    restore: bool,
    abend: bool,
    debug: bool,
    shell: bool,
    shell_before: bool,
    shell_after: bool,
    live: bool,
    artifacts: str | None,
    junit: str | None,
    as_json: bool,
    verbose: int,
) -> int:
    """Run the jobs that match any FILTER, or all that are not manual.

    Ends with 0 when all passed, 1 when any did not, 130 when interrupted. `outspread list` says what filters are.
    """
    from outspread.cli.alternatives import refuse_together, wanted_shells
    from outspread.cli.keep_wish import KeepWish
    from outspread.cli.run_and_show import RunWish, run_and_show
    from outspread.cli.selection import Wish
    from outspread.controller.values import Order, RunOptions, ShellOccasion

    chosen = {
        "debug": debug,
        "shell": shell,
        "shell-before": shell_before,
        "shell-after": shell_after,
        "abend": abend,
        "restore": restore,
    }
    refuse_together(chosen.__getitem__, dash="--")
    if resend and not reuse:
        raise click.UsageError("--resend goes with --reuse")
    if keep_failed and reuse:
        raise click.UsageError("use only one of --keep-failed and --reuse: machines that are to be used again are not held")
    wish = Wish(
        filters, directory=directory, flavour=flavour, sandbox=sandbox, strict=strict, every_warning=verbose > 0, running=True
    )
    options = RunOptions(
        seed=seed,
        order=Order(order),
        repeat=repeat,
        restore_only=restore,
        abend=abend,
        collect_artifacts=artifacts is not None,
        keep_output=verbose > 1,
        workers=workers,
        shells=tuple(map(ShellOccasion, wanted_shells(chosen.__getitem__))),
        live=live,
        hold_failed_s=keep_failed,
    )
    keep = KeepWish(reuse=reuse, resend=resend, notes_own=keep_failed > 0)
    return run_and_show(RunWish(wish, options, artifacts=artifacts, junit=junit, as_json=as_json, verbosity=verbose, keep=keep))
