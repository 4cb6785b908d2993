"""``outspread machines``: which machines there are."""

import sys

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Say which machines there are: those of the record that were not given back, and those that backends know of."""
    import time

    from outspread.cli.discard_here import machines_here
    from outspread.cli.machines_view import described, machine_lines

    now = time.time()
    machines = described(*machines_here(), now=now)
    if as_json:
        import msgspec

        sys.stdout.write(msgspec.json.format(msgspec.json.encode(machines)).decode() + "\n")
    elif machines:
        sys.stdout.writelines(f"{line}\n" for line in machine_lines(machines, now=now))
    else:
        print("no machines", file=sys.stderr)
