"""What worker and slot say to each other: tuples of which the first member is one of these words. Pure.

``token`` names an attempt. Clocks are ``time.monotonic()``, which is one for all processes of a host.
"""

#: To a slot, in the order in which they are to run:
#: (RUN, token, argv, environment over the worker's own, directory, whether to make it, timeout_s, grace_s, deadline, limits);
#: limits are memory in bytes, processes, size of a file in bytes; 0: none.
RUN = "run"
#: (STOP, token, whether to let it end by itself first): TERM and, after its grace, KILL; or KILL at once.
STOP = "stop"
#: (RECALL, token): do not begin it. Answered with RECALLED, unless it has begun.
RECALL = "recall"
#: (LEASE, {token: deadline}): new deadlines at which commands are killed.
LEASE = "lease"

#: From a slot: (BEGUN, token), only of commands that take longer than a moment.
BEGUN = "begun"
#: (PIECE, token, skipped_bytes, data): what it printed, in order.
PIECE = "piece"
#: (ENDED, token, ending, exit code or None, signal or None, seconds, remark, whether its directory is gone)
ENDED = "ended"
#: (RECALLED, token)
RECALLED = "recalled"
#: (STUCK, pid): a process that was killed does not go; the slot begins nothing until (FREE,).
STUCK = "stuck"
FREE = "free"

#: Endings.
EXITED = "exited"  # by itself, with a code or by a signal
TIMED_OUT = "timeout"
STOPPED = "stopped"  # as it was told to
LAPSED = "lapsed"  # at its deadline
OUT_OF_MEMORY = "oom"
PROCESS_LIMIT = "processes"  # one could not be started for it
DISK_LIMIT = "disk"  # by a file that became too large
UNSTARTABLE = "unstartable"  # the command's own fault: exit code 126 or 127
UNSPAWNABLE = "unspawnable"  # the machine's fault
