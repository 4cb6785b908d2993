from hypothesis import given
from hypothesis import strategies as st

from outspread.controller.command_values import AttemptEnd, AttemptLogPiece
from outspread.controller.values import Outcome
from outspread.worker.commands.outbox import Begun, Item, Outbox, Returned

items = st.one_of(
    st.builds(Begun, st.integers(0, 5)),
    st.builds(Returned, st.integers(0, 5)),
    st.builds(AttemptLogPiece, st.integers(0, 5), st.integers(0, 9), st.binary(max_size=10)),
    st.builds(AttemptEnd, st.integers(0, 5), st.just(Outcome.PASSED)),
)


@given(st.lists(st.tuples(st.lists(items, max_size=4), st.booleans())))
def test_all_is_told_once_acknowledged_and_in_order(rounds: list[tuple[list[Item], bool]]) -> None:
    outbox = Outbox()
    told: list[Item] = []
    added: list[Item] = []
    for new, acknowledged in [*rounds, ([], True)]:
        for item in new:
            outbox.add(item)
            added.append(item)
        draft = outbox.draw()
        if acknowledged:
            outbox.acknowledge(draft)
            told += [*map(Begun, draft.begun), *draft.pieces, *draft.ended, *map(Returned, draft.returned)]
    assert len(outbox) == 0
    for kind in (Begun, AttemptLogPiece, AttemptEnd, Returned):
        assert [item for item in told if isinstance(item, kind)] == [item for item in added if isinstance(item, kind)]


def test_logs_are_told_in_bounded_portions_and_before_the_end() -> None:
    outbox = Outbox()
    for number in range(5):
        outbox.add(AttemptLogPiece(1, number, bytes(400_000)))
    outbox.add(AttemptEnd(1, Outcome.PASSED, pieces=5))
    sizes, ended = [], 0
    while len(outbox):
        draft = outbox.draw()
        assert not draft.ended or draft.pieces[-1].number == 4
        sizes.append(len(draft.pieces))
        ended += len(draft.ended)
        outbox.acknowledge(draft)
    assert (sizes, ended) == ([2, 2, 1], 1)
