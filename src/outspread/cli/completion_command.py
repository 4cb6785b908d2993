"""``outspread completion``: the script that makes a shell complete commands, options and the names of jobs."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_OUTSPREAD_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print what makes SHELL complete commands.

    \b
    bash: outspread completion bash > ~/.local/share/bash-completion/completions/outspread
    zsh:  outspread completion zsh > DIRECTORY_IN_FPATH/_outspread
    fish: outspread completion fish > ~/.config/fish/completions/outspread.fish
    """
    completion = get_completion_class(shell)
    assert completion is not None
    root = click.get_current_context().find_root()
    click.echo(completion(root.command, {}, "outspread", _VARIABLE).source())
