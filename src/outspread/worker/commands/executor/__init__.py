"""The process that spawns commands, started with ``python -I -S``: the standard library and what needs no more.

A *supervisor* that forks one *slot* for each command that may run at a time. A slot is the parent, however far removed, of all
that its command starts, and of nothing else; so what is below it can always be found and ended. When the worker is gone, the
slots see their sockets closed and end what they have; when a slot is gone, the supervisor does.
"""
