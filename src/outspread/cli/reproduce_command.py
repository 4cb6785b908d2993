"""``outspread reproduce``: an attempt's inputs and command, here."""

import os
import subprocess
from pathlib import Path

import click

from outspread.cli.controller_options import Visitor, controller_options, in_loop, write_out


@click.command()
@click.argument("attempt")
@click.option(
    "-d", "--directory", type=click.Path(), help="Where to make it; a new directory named after the attempt unless told."
)
@click.option("--run", "run_it", is_flag=True, help="Run the command at once.")
@click.option("--shell", "open_shell", is_flag=True, help="Open a shell where the command starts.")
@controller_options
def command(attempt: str, directory: str | None, run_it: bool, open_shell: bool, url: str, token_file: str | None) -> int:
    """Make the input tree and environment of ATTEMPT again, with a script that runs its command.

    ATTEMPT is RUN.NUMBER.ATTEMPT, RUN.NUMBER for the last one, or the name of a job of the run submitted last from here.
    """
    from outspread.client.naming import find_attempt
    from outspread.client.reproduction import reproduce

    if run_it and open_shell:
        raise click.UsageError("give one of --run and --shell")
    visitor = Visitor(url, token_file)
    here = Path.cwd()

    async def make() -> Path:
        async with visitor.controller() as controller, visitor.store() as store:
            _, found = await find_attempt(controller, attempt, run_id=visitor.run_of(attempt))
            return await reproduce(controller, store, found, here / (directory or found.attempt_id))

    script = in_loop(make())
    if run_it:
        return subprocess.run([script], check=False).returncode
    if open_shell:
        return subprocess.run([script, os.environ.get("SHELL", "/bin/sh")], check=False).returncode
    write_out(f"{script} runs the command; {script} sh opens a shell where it starts")
    return 0
