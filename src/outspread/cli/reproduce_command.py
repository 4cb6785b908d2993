"""``outspread reproduce``: an attempt's inputs, variables and command, here."""

import os
import shlex
import subprocess
from pathlib import Path

import click

from outspread.cli.controller_options import SECRET_VARIABLES, Visitor, controller_options, in_loop
from outspread.cli.write_answer import write_out

_KILLED = 128  # and the signal, as a shell says it


@click.command()
@click.argument("attempt")
@click.option(
    "-d",
    "--directory",
    type=click.Path(path_type=Path),
    help="Where to make it; a new directory named after the attempt unless told.",
)
@click.option("--run", "run_it", is_flag=True, help="Run the command at once, and end as it does.")
@click.option("--shell", "open_shell", is_flag=True, help="Open a shell where the command starts.")
@controller_options
def command(attempt: str, directory: Path | None, run_it: bool, open_shell: bool, url: str, token_file: str | None) -> int:
    """Make the input tree and environment of ATTEMPT again, with a script that runs its command.

    ATTEMPT is RUN.NUMBER.ATTEMPT, RUN.NUMBER for the last one, or the name of a job of the run submitted last from here.
    """
    if run_it and open_shell:
        raise click.UsageError("give one of --run and --shell")
    from outspread.client.fetching import safe_name
    from outspread.client.naming import find_attempt
    from outspread.client.reproduction import job_of, reproduce
    from outspread.controller.command_values import Isolation

    visitor = Visitor(url, token_file)
    here = Path.cwd()

    async def make() -> Path:
        async with visitor.controller() as controller, visitor.store() as store:
            found = await find_attempt(controller, attempt, in_run=lambda: visitor.run_id(None))
            job = await job_of(controller, found)
            script = await reproduce(store, job, found, here / (directory or safe_name(found)))
            if job.isolation is not Isolation.NONE:
                write_out(f"on its worker this ran in a sandbox{f' of {job.image}' if job.image else ''}; here it does not")
            return script

    script = in_loop(make())
    if run_it:
        return _ended_as(str(script))
    if open_shell:
        return _ended_as(str(script), os.environ.get("SHELL", "/bin/sh"))
    shown = shlex.quote(str(script))
    write_out(f"{shown} runs the command; {shown} sh opens a shell where it starts")
    return 0


def _ended_as(*words: str) -> int:
    """Run a command; return the exit code that tells how it ended."""
    environment = {name: value for name, value in os.environ.items() if name not in SECRET_VARIABLES}
    code = subprocess.run(words, env=environment, check=False).returncode
    return code if code >= 0 else _KILLED - code
