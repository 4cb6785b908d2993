"""Our program with leases of so many seconds: shorter than they are, for tests that wait for them to run out."""

import sys

from outspread.controller import command_values

lease_s = float(sys.argv.pop(1))
# Before anybody else imports them.
command_values.LEASE_S = lease_s  # type: ignore[misc]
command_values.RENEW_S = lease_s / 3  # type: ignore[misc]
command_values.CONFIRM_S = lease_s / 3  # type: ignore[misc]

from outspread.cli.entry import outspread  # noqa: E402

sys.argv = ["outspread", *sys.argv[1:]]
outspread()
