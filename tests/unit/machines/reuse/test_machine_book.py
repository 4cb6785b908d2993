"""Who gets which machine, and what is noted of it."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from outspread.errors import UserError
from outspread.machines.contract import Machine
from outspread.machines.reuse.machine_book import MachineBook, unwritten_book
from outspread.machines.reuse.reuse_text import ReuseEntry

NOTED = (
    ReuseEntry("lab", "a-1", "h1", username="me", password="p1"),
    ReuseEntry("lab", "b-1", "h2"),
    ReuseEntry("lab", "a-1", "h3", data={"name": "vm3", "pid": 7}),
)


class Book:
    """A book, and what it stored last."""

    def __init__(self, noted: Sequence[ReuseEntry] = NOTED, *, lends: bool = True) -> None:
        self.stored: tuple[ReuseEntry, ...] | None = None
        self.book = MachineBook(self._store, noted, lends=lends, keeps=lends)

    def _store(self, entries: Sequence[ReuseEntry]) -> None:
        self.stored = tuple(entries)


def draft(system: str = "a-1", machine_id: str = "new") -> Machine:
    return Machine(machine_id, "lab", "adhoc", system, username="root", password="p0", data={"root": "/p"})


def test_machines_are_taken_in_the_order_of_the_file_each_once() -> None:
    book = Book().book
    first, second = book.take(draft()), book.take(draft())
    assert first is not None
    assert second is not None
    assert (first.address, first.username, first.password, first.label) == ("h1", "me", "p1", "h1")
    assert (second.address, second.username, second.password) == ("h3", "root", "p0")
    assert second.data == {"root": "/p", "name": "vm3", "pid": "7"}
    assert book.take(draft()) is None
    assert book.take(draft("c-1")) is None
    book.put_back(first)
    again = book.take(draft())
    assert again is not None
    assert again.address == "h1"


def test_a_machine_keeps_the_id_that_it_was_first_taken_under() -> None:
    one = Book()
    taken = one.book.take(draft(machine_id="m1"))
    assert taken is not None
    assert taken.machine_id == "m1"
    assert one.stored is not None
    later = Book(one.stored).book.take(draft(machine_id="m2"))
    assert later is not None
    assert later.machine_id == "m1"


def test_without_lending_nothing_is_taken_and_nothing_forgotten() -> None:
    one = Book(lends=False)
    assert one.book.take(draft()) is None
    one.book.note(replace(draft(), address="h9"), draft())
    assert one.stored is not None
    assert [entry.address for entry in one.stored] == ["h1", "h2", "h3", "h9"]


def test_a_new_machine_is_noted_with_what_the_project_does_not_say() -> None:
    one = Book(())
    machine = replace(draft(), address="h9", data={"root": "/p", "name": "vm9"})
    one.book.note(machine, draft())
    (entry,) = one.book.entries
    assert entry == ReuseEntry(
        "lab",
        "a-1",
        "h9",
        username="root",
        password="p0",
        data={"name": "vm9", "outspread-machine": "new", "outspread-content": "missing"},
    )
    assert one.stored == (entry,)
    assert one.book.take(draft()) is None  # it is in use


def test_content_counts_once_it_was_sent_as_a_whole() -> None:
    one = Book(())
    machine = replace(draft(), address="h9")
    one.book.note(machine, draft())
    assert not one.book.has_content(machine)
    assert one.stored is not None
    killed = Book(one.stored).book
    taken = killed.take(draft())
    assert taken is not None
    assert not killed.has_content(taken)
    one.book.content_sent(machine)
    assert one.book.has_content(machine)
    later = Book(one.stored).book
    taken = later.take(draft())
    assert taken is not None
    assert later.has_content(taken)


def test_what_spread_noted_has_its_content() -> None:
    book = Book().book
    taken = book.take(draft())
    assert taken is not None
    assert book.has_content(taken)


def test_a_machine_that_is_given_back_is_crossed_out_and_its_address_is_free() -> None:
    one = Book(())
    machine = replace(draft(), address="h9")
    one.book.note(machine, draft())
    one.book.forget(machine)
    one.book.forget(machine)
    assert one.stored == ()
    one.book.note(machine, draft())


@pytest.mark.parametrize("system", ["a-1", "z-9"])
def test_an_address_means_one_machine(system: str) -> None:
    one = Book()
    with pytest.raises(UserError, match=f"cannot use lab:{system} at h2: another machine, lab:b-1, is there"):
        one.book.note(replace(draft(system), address="h2"), draft(system))
    assert one.stored is None


def test_a_run_that_notes_nothing_still_tells_its_machines_apart() -> None:
    book = unwritten_book()
    assert (book.keeps, book.resends) == (False, False)
    book.note(replace(draft(), address="h1"), draft())
    with pytest.raises(UserError):
        book.note(replace(draft(), address="h1"), draft())
    assert book.take(draft()) is None
