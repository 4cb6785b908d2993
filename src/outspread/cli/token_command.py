"""``outspread token``: who may submit, work and administer from afar."""

import time
from pathlib import Path

import click

ROLES = ("submit", "work", "admin")


@click.group()
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="The controller's settings, as for serve.")
@click.pass_context
def command(context: click.Context, config: Path | None) -> None:
    """Make, list and revoke the tokens of the controller whose state is here."""
    context.obj = config


@command.command()
@click.option("--role", type=click.Choice(ROLES), required=True, help="What it is for.")
@click.option("--name", default="", help="Who or what has it, for the list.")
@click.option("--expires", metavar="TIME", help="Until when it is valid, from now, as in 30d.  [default: for ever]")
@click.pass_obj
def create(config: Path | None, role: str, name: str, expires: str | None) -> None:
    """Make a token and print it. Nobody can tell it again."""
    from outspread.cli.token_book_here import token_book_here
    from outspread.server.token_book import Role

    now = time.time()
    expires_at = None if expires is None else now + _span_s(expires)
    with token_book_here(config) as book:
        token, secret = book.create(Role(role), name=name, now=now, expires_at=expires_at)
    click.echo(f"token {token.token_id} of the role {token.role}: keep it, it is not shown again", err=True)
    click.echo(secret)


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_tokens(config: Path | None, as_json: bool) -> None:
    """List the tokens that were made, without themselves."""
    from outspread.cli.token_book_here import token_book_here
    from outspread.cli.token_view import token_lines

    with token_book_here(config) as book:
        tokens = book.tokens()
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(tokens), indent=2))
    elif tokens:
        for line in token_lines(tokens, now=time.time()):
            click.echo(line)
    else:
        click.echo("no tokens yet", err=True)


@command.command()
@click.argument("token_id", metavar="ID")
@click.pass_obj
def revoke(config: Path | None, token_id: str) -> None:
    """Make a token void, at once."""
    from outspread.cli.token_book_here import token_book_here

    with token_book_here(config) as book:
        token = book.revoke(token_id, now=time.time())
    click.echo(f"token {token.token_id} is void", err=True)


def _span_s(text: str) -> float:
    from outspread.server.settings import parse_span

    try:
        return parse_span(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: {error}", param_hint="--expires") from None
