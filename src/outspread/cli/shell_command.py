"""``outspread shell``: a machine and a shell on it."""

import click

from outspread.cli.project_options import options_of_project


@click.command()
@click.argument("system", required=False)
@options_of_project
@click.option(
    "--machine", metavar="MACHINE", help="On the one of this label or address, or whose id begins so, that nobody uses."
)
@click.option("--reuse", is_flag=True, help="On a machine that was kept, if there is one; and keep it.")
@click.option("--resend", is_flag=True, help="Send the project to a kept machine again.")
@click.option("-v", "--verbose", count=True, help="Say more.")
def command(
    system: str | None,
    directory: str,
    sandbox: bool,
    flavour: str,
    strict: bool,
    machine: str | None,
    reuse: bool,
    resend: bool,
    verbose: int,
) -> int:
    """Get a machine of SYSTEM with the project on it, open a shell there, and give the machine back when the shell ends.

    SYSTEM is a name as in `outspread list`: `debian-12` or `lxd:debian-12`. It need not be given when there is one only.
    """
    if machine is not None:
        if system or reuse or resend or sandbox:
            raise click.UsageError("--machine goes with neither SYSTEM, --reuse, --resend nor --sandbox")
        from outspread.cli.visit_machine import visit_machine

        return visit_machine(machine)
    if resend and not reuse:
        raise click.UsageError("--resend goes with --reuse")
    from outspread.cli.keep_wish import KeepWish
    from outspread.cli.selection import Wish
    from outspread.cli.visit_system import visit_system

    filters = (system,) if system else ()
    wish = Wish(filters, directory=directory, flavour=flavour, sandbox=sandbox, strict=strict, every_warning=verbose > 0)
    return visit_system(wish, KeepWish(reuse=reuse, resend=resend), verbosity=verbose)
