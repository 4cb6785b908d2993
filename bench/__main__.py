"""``python -m bench [PART]...``: measure, print, and fail when a bound is not kept. The parts are those of ``main``."""

import os
import signal
import sys
from pathlib import Path

from bench.command_jobs import command_jobs
from bench.containers import containers
from bench.emulated_machine import emulated_machine
from bench.exchange import exchange
from bench.farm import farm
from bench.listing import listing
from bench.million import million
from bench.report import print_figure, print_heading
from bench.running import running
from bench.sandbox_shell import sandbox_shell
from bench.scheduling import scheduling
from bench.session import session
from bench.ssh_shell import ssh_shell
from bench.store import store
from bench.yardsticks import yardsticks


def main() -> int:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program has been compiled
    for number in (signal.SIGTERM, signal.SIGHUP):  # clean up as at Ctrl-C
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    bin_dir = Path(sys.executable).parent
    parts = {
        "yardsticks": ("Yardsticks of this machine (medians)", yardsticks),
        "listing": ("Listing", lambda: listing(bin_dir)),
        "store": ("Blobs and trees", store),
        "sandbox": ("A sandbox by itself", sandbox_shell),
        "ssh": ("A machine over SSH by itself", ssh_shell),
        "session": ("A session over SSH, beside Spread's", lambda: session(bin_dir)),
        "lxd": ("Containers of LXD", lambda: containers(bin_dir)),
        "qemu": ("An emulated machine", lambda: emulated_machine(bin_dir)),
        "farm": ("A farm of one host", lambda: farm(bin_dir)),
        "exchange": ("A controller by itself", lambda: exchange(bin_dir)),
        "million": ("A million queued jobs", lambda: million(bin_dir)),
        "scheduling": ("The order of a farm, in simulated time", scheduling),
        "worker": ("A worker of command jobs by itself", command_jobs),
        "running": ("Running in sandboxes", lambda: running(bin_dir)),
    }
    if unknown := [name for name in sys.argv[1:] if name not in parts]:
        print(f"error: there is no part {', '.join(unknown)}; there are {', '.join(parts)}", file=sys.stderr)
        return 2
    over = 0
    for name in sys.argv[1:] or parts:
        title, measure = parts[name]
        print_heading(title)
        for figure in measure():
            print_figure(figure)
            over += not figure.within
    return 1 if over else 0


if __name__ == "__main__":
    raise SystemExit(main())
