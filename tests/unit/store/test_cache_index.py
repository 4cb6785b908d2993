"""What a cache keeps and what goes first."""

from hypothesis import given
from hypothesis import strategies as st

from outspread.store.cache_index import CacheIndex


def index(limit_bytes: int, **sizes: int) -> CacheIndex:
    """Return an index of files last used in this order."""
    made = CacheIndex(limit_bytes)
    for number, (name, size_bytes) in enumerate(sizes.items()):
        made.add(name, size_bytes, float(number))
    return made


def test_nothing_goes_while_there_is_room() -> None:
    assert index(100, a=40, b=40).to_evict(20) == []


def test_the_longest_unused_goes_first() -> None:
    assert index(100, a=40, b=40).to_evict(21) == ["a"]


def test_use_counts() -> None:
    made = index(100, a=40, b=40)
    made.pin(["a"], 9.0)
    made.unpin(["a"], 9.0)
    assert made.to_evict(21) == ["b"]


def test_what_is_in_use_stays() -> None:
    made = index(100, a=40, b=40)
    made.pin(["a"], 9.0)
    assert made.to_evict(21) == ["b"]
    assert made.to_evict(61) is None
    made.unpin(["a"], 9.0)
    assert made.to_evict(61) == ["b", "a"]


def test_a_use_may_begin_before_the_file_comes_and_outlive_it() -> None:
    made = CacheIndex(100)
    made.pin(["a"], 0.0)
    made.pin(["a"], 0.0)
    made.add("a", 80, 1.0)
    assert made.to_evict(30) is None
    made.forget("a")
    assert made.used_bytes == 0
    made.unpin(["a"], 2.0)
    made.add("a", 80, 3.0)
    assert made.to_evict(30) is None
    made.unpin(["a"], 4.0)
    assert made.to_evict(30) == ["a"]


def test_what_is_on_its_way_has_its_room() -> None:
    made = index(100, a=40)
    made.reserved_bytes = 50
    assert made.to_evict(20) == ["a"]
    assert made.to_evict(60) is None


def test_more_goes_than_must() -> None:
    made = index(1000, **{f"f{number}": 10 for number in range(100)})
    assert len(made.to_evict(10) or ()) == 6


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 50), st.booleans()), max_size=30), st.integers(0, 120))
def test_room_is_made_or_refused(files: list[tuple[str, int, bool]], needed: int) -> None:
    made = CacheIndex(100)
    pinned: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for number, (name, size_bytes, pin) in enumerate(files):
        made.add(name, size_bytes, float(number))
        sizes[name] = size_bytes
        if pin:
            made.pin([name], float(number))
            pinned[name] = 1
    assert made.used_bytes == sum(sizes.values())
    evicted = made.to_evict(needed)
    if evicted is None:
        assert sum(sizes[name] for name in pinned) + needed > 100
    else:
        assert not set(evicted) & set(pinned)
        assert sum(size for name, size in sizes.items() if name not in evicted) + needed <= 100 or not evicted
