"""``python -m bench.serve_store DIRECTORY``: a store behind its door, for others to measure; prints its URL."""

import socket
import sys
from pathlib import Path

import uvicorn

from outspread.server.asgi import Scope
from outspread.server.gate import Right
from outspread.server.store_door import store_door
from outspread.store.disk_store import DiskStore


def _allow_all(_scope: Scope, _right: Right) -> None:
    pass


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as of a controller
    sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    with DiskStore(Path(sys.argv[1])) as store:
        config = uvicorn.Config(
            store_door(store, _allow_all), http="httptools", ws="none", lifespan="off", log_level="critical", access_log=False
        )
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
