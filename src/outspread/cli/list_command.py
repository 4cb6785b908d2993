"""``outspread list``: which jobs there are."""

import sys

import click

from outspread.cli.project_options import project_options


@click.command()
@project_options
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of objects.")
@click.option("-v", "--verbose", is_flag=True, help="Show all warnings about the project.")
def command(
    filters: tuple[str, ...], directory: str, sandbox: bool, flavour: str, strict: bool, as_json: bool, verbose: bool
) -> None:
    """Print the names of jobs that match any FILTER, or of all that are not manual.

    A filter is a part of a job's name between colons: a backend, a system, a suite with its slash, a task, a variant;
    `...` stands for any characters, `#2` or `#1..3` chooses samples.
    """
    from outspread.cli.job_list import json_list, name_list
    from outspread.cli.selection import Wish, select

    wish = Wish(filters, directory=directory, flavour=flavour, sandbox=sandbox, strict=strict, every_warning=verbose)
    jobs = select(wish).jobs
    sys.stdout.write(json_list(jobs) if as_json else name_list(jobs))
