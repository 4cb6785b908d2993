"""The bounds of what the API takes, gives and waits for."""

from typing import Final

#: Of a submission.
SUBMISSION_LIMIT_BYTES: Final = 64 * 1024 * 1024
#: Of every other request.
REQUEST_LIMIT_BYTES: Final = 8 * 1024 * 1024
#: No answer is held back for longer.
LONGEST_WAIT_S: Final = 60.0
#: A span of time that is asked about.
LONGEST_SPAN_S: Final = 365 * 24 * 3600.0
#: A stream that has nothing to tell says that it is alive so often.
HEARTBEAT_S: Final = 15.0
#: Who takes nothing of an answer for so long is taken for gone.
SLOWEST_TAKER_S: Final = 60.0
#: So many streams of events and logs there are at a time.
STREAMS: Final = 2000
MOST_LISTED: Final = 1000
LOG_CHUNK_BYTES: Final = 1024 * 1024
#: Of a log, in one answer that is asked for as a part.
LARGEST_PART_BYTES: Final = 4 * LOG_CHUNK_BYTES
#: Of what is counted, and of places in a log: what every database can hold.
LARGEST_NUMBER: Final = 2**62
