"""``outspread workers``: who works, and who is on hold."""

import sys

import click

from outspread.cli.controller_options import Visitor, controller_options, in_loop
from outspread.cli.span_of_time import SpanOfTime
from outspread.cli.write_answer import write_answer


@click.command()
@click.option("--hold", metavar="WORKER", help="Let a worker take no more work.")
@click.option("--release", metavar="WORKER", help="End a hold.")
@click.option("--for", "for_s", type=SpanOfTime(), default="1h", help="With --hold: for how long; 1h unless told.")
@click.option("--reason", default="", help="With --hold: why.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@controller_options
def command(
    hold: str | None, release: str | None, for_s: float, reason: str, as_json: bool, url: str, token_file: str | None
) -> None:
    """List the workers of a controller, with what they have and do; hold one, or release it."""
    from outspread.cli.farm_lines import worker_rows

    if hold is not None and release is not None:
        raise click.UsageError("give one of --hold and --release")
    if hold is not None and not reason:
        raise click.UsageError("--hold needs a --reason, for whoever finds the worker idle")
    visitor = Visitor(url, token_file)

    async def show() -> None:
        async with visitor.controller() as controller:
            if hold is not None or release is not None:
                await controller.hold_worker(hold or release or "", reason=reason, for_s=for_s if hold is not None else 0.0)
            workers = await controller.workers()
        if not workers and not as_json:
            print("no workers have spoken with this controller yet", file=sys.stderr)
            return
        write_answer(workers, worker_rows(workers), as_json=as_json)

    in_loop(show())
