"""Run one module of this package as a program: ``python -I -S launcher.py MODULE ARGUMENT...``.

A file of its own, so that the module itself comes from the byte-code cache, and without ``-m`` (runpy costs 10 ms).
"""

import os
import sys

if __name__ == "__main__":
    # descriptors that whoever started us let slip through would stay open as long as the machine lives
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - pathlib takes 10 ms to import
        if int(name) > 2:  # the listing's own is closed already
            try:
                os.close(int(name))
            except OSError:
                continue
    # the directory that holds the package: its modules are found, and nothing else that is installed
    sys.path.insert(0, __file__.rsplit("/", 3)[0])
    del sys.argv[0]  # the module takes its place
    __import__(sys.argv[0])
    sys.modules[sys.argv[0]].main()
