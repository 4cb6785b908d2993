"""The program ``outspread``: its commands, each imported when it is called."""

import importlib
import sys

import click

from outspread import __version__
from outspread.cli.program_end import end_program

#: Command: what it does. The module ``outspread.cli.COMMAND_command`` has it as ``command``.
COMMANDS = {
    "list": "Print the names of jobs.",
    "run": "Run jobs, and show how they go.",
    "shell": "Get a machine and open a shell on it.",
    "machines": "Say which machines there are, and who has them.",
    "discard": "Give back machines that outlived their run.",
    "history": "Look at earlier runs.",
    "up": "Be a controller with a worker, on one machine.",
    "serve": "Be a controller.",
    "worker": "Take command jobs from a controller.",
    "token": "Say who may use a controller from afar.",
    "submit": "Hand jobs to a controller, and watch them.",
    "watch": "Follow a run of a controller to its end.",
    "status": "Say how a run of a controller stands.",
    "cancel": "Let a run of a controller end.",
    "logs": "Print what a job printed.",
    "fetch": "Fetch logs and outputs of a run.",
    "rerun": "Submit jobs of an earlier run again.",
    "reproduce": "Make the surroundings of an attempt again, here.",
    "why": "Say why a job waits, or how it ended.",
    "flaky": "List jobs that pass only now and then.",
    "workers": "List the workers of a controller; hold one.",
    "top": "Show how a farm goes, as it goes.",
    "completion": "Print what makes a shell complete commands.",
}


class _LazyGroup(click.Group):
    """A group that knows its commands by name, and imports one when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"outspread.cli.{cmd_name}_command")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="outspread")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
def outspread(debug: bool) -> None:
    """Run a project's tests on every system that they have to work on.

    A project is a directory with a spread.yaml. Called anywhere in it, `outspread run` gets a machine of each system, runs
    the tasks there, and gives the machines back.
    """


def main() -> None:
    """Run the program ``outspread``."""
    debug = "--debug" in sys.argv[1 : _command_place(sys.argv)]
    end_program(_run, debug=debug, how_to_debug="--debug")


def _run() -> int:
    try:
        result = outspread.main(prog_name="outspread", standalone_mode=False)
    except click.exceptions.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return result if isinstance(result, int) else 0


def _command_place(arguments: list[str]) -> int:
    """Return where the name of the command stands, or the end: options before it are the program's own."""
    return next((place for place, argument in enumerate(arguments) if argument in COMMANDS), len(arguments))
