from hypothesis import given
from hypothesis import strategies as st

from outspread.worker.commands.slot_board import SlotBoard


def test_each_slot_gets_one_before_any_gets_a_second() -> None:
    board = SlotBoard(2)
    for fence in range(5):
        board.add(fence, expected_s=1.0)
    assert list(board.hand_out()) == [(0, 0), (1, 1), (0, 2), (1, 3)]
    assert list(board.hand_out()) == []


def test_short_ones_go_several_to_a_slot() -> None:
    board = SlotBoard(1)
    for fence in range(50):
        board.add(fence, expected_s=0.004)
    assert len(list(board.hand_out())) == 7


def test_nothing_is_put_behind_what_takes_long() -> None:
    board = SlotBoard(1)
    board.add(1, expected_s=0.001)
    list(board.hand_out())
    board.takes_long(0, 1)
    board.add(2, expected_s=0.001)
    assert list(board.hand_out()) == []


def test_what_waits_is_called_back_for_a_slot_with_nothing_to_do() -> None:
    board = SlotBoard(2)
    for fence in range(4):
        board.add(fence, expected_s=1.0)
    list(board.hand_out())
    assert list(board.recall()) == []
    for fence in (1, 3):
        board.remove(fence)
    assert list(board.recall()) == [(0, 2)]
    assert list(board.recall()) == []
    board.put_back(2)
    assert list(board.hand_out()) == [(1, 2)]


def test_an_unusable_slot_gets_nothing() -> None:
    board = SlotBoard(2)
    board.set_usable(0, usable=False)
    board.add(1, expected_s=1.0)
    assert list(board.hand_out()) == [(1, 1)]
    board.remove(1)
    board.set_usable(0, usable=True)
    board.add(2, expected_s=1.0)
    assert list(board.hand_out()) == [(0, 2)]


@given(st.integers(1, 4), st.lists(st.tuples(st.sampled_from(["add", "end", "back"]), st.floats(0.001, 0.1)), max_size=60))
def test_no_attempt_is_lost_or_in_two_places_and_no_slot_idles_beside_waiting_ones(
    slots: int, steps: list[tuple[str, float]]
) -> None:
    board = SlotBoard(slots)
    fence, alive = 0, set[int]()
    for kind, expected_s in steps:
        given_out = [attempt for slot in range(slots) for attempt in board.given(slot)]
        if kind == "add":
            fence += 1
            alive.add(fence)
            board.add(fence, expected_s=expected_s)
        elif given_out and kind == "end":
            board.remove(given_out[0])
            alive.discard(given_out[0])
        elif given_out:
            board.put_back(given_out[-1])
        list(board.hand_out())
        for _, recalled in list(board.recall()):
            board.put_back(recalled)
        list(board.hand_out())
        placed = [attempt for slot in range(slots) for attempt in board.given(slot)]
        assert len(placed) == len(set(placed))
        assert set(placed) <= alive
        assert len(alive) < slots or all(board.given(slot) for slot in range(slots))
    for _ in range(len(alive)):
        for attempt in [attempt for slot in range(slots) for attempt in board.given(slot)]:
            board.remove(attempt)
            alive.discard(attempt)
        list(board.hand_out())
    assert alive == set()
