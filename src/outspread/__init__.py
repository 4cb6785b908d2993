"""Outspread runs a test suite on every system it has to work on, over as many machines as there are."""

__version__ = "0.1.0"
