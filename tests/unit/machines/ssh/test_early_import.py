"""What is imported in the background, in a process that has not imported it yet."""

import subprocess
import sys

_PROGRAM = """
import ctypes.util, threading, sys
from outspread.machines.ssh.early_import import import_soon
searched = []
ctypes.util.find_library = search = searched.append
assert "asyncssh" not in sys.modules
import_soon()
import_soon()
[importing] = [thread for thread in threading.enumerate() if thread.name == "outspread-import"]
import outspread.machines.ssh.shell
importing.join()
assert "asyncssh" in sys.modules
assert searched == [], searched
assert ctypes.util.find_library is search
"""


def test_it_is_there_without_a_search_for_libraries() -> None:
    subprocess.run([sys.executable, "-c", _PROGRAM], check=True)
