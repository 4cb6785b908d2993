import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.controller.permutation import permutation


@pytest.mark.parametrize(
    ("count", "seed", "order"),
    [
        (10, 0, [4, 9, 2, 5, 1, 7, 6, 0, 3, 8]),
        (10, 1, [9, 0, 1, 4, 8, 2, 3, 7, 6, 5]),
        (10, 1234567, [6, 9, 0, 7, 2, 5, 8, 4, 1, 3]),
        (5, 2**64 - 1, [1, 2, 0, 3, 4]),
    ],
)
def test_what_a_seed_gives_never_changes(count: int, seed: int, order: list[int]) -> None:
    assert permutation(count, seed) == order


def test_it_is_driven_by_the_published_generator() -> None:
    # The first numbers of SplitMix64 for this seed: 6457827717110365317 and 3203168211198807973.
    assert permutation(3, 1234567) == [2, 0, 1]


@given(st.integers(0, 200), st.integers(-(2**70), 2**70))
def test_it_is_a_permutation_for_any_seed(count: int, seed: int) -> None:
    assert sorted(permutation(count, seed)) == list(range(count))
    assert permutation(count, seed) == permutation(count, seed + 2**64)


def test_neighbouring_seeds_put_every_element_everywhere() -> None:
    places = {(place, element) for seed in range(200) for place, element in enumerate(permutation(5, seed))}
    assert len(places) == 25
