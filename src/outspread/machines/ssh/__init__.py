"""The way into machines that SSH reaches. ``shell.open_ssh_shell`` is the door; asyncssh costs 0.14 s to import: import late."""
