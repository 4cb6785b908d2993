"""Choices that are written out, so that a help text imports nothing, are those of the values that they stand for."""

from outspread.cli.project_options import FLAVOURS
from outspread.cli.run_command import ORDERS
from outspread.controller.values import Order
from outspread.project.model import Flavour


def test_flavours() -> None:
    assert tuple(Flavour) == FLAVOURS


def test_orders() -> None:
    assert tuple(Order) == ORDERS
