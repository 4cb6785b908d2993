"""A permutation from a seed, the same for ever: on every machine and in every version of Python.

SplitMix64 (Steele, Lea and Flood, 2014) drives a Fisher-Yates shuffle from the last element to the second. The index below
``n`` is the upper half of the 128-bit product of the random number and ``n``; its bias is less than ``n / 2**64``.
"""

_MASK = 0xFFFF_FFFF_FFFF_FFFF


def permutation(count: int, seed: int) -> list[int]:
    """Return the numbers below ``count`` in the order that ``seed`` (taken modulo 2**64) gives them."""
    order = list(range(count))
    state = seed & _MASK
    for last in range(count - 1, 0, -1):
        state = (state + 0x9E37_79B9_7F4A_7C15) & _MASK
        mixed = ((state ^ (state >> 30)) * 0xBF58_476D_1CE4_E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB) & _MASK
        other = ((mixed ^ (mixed >> 31)) * (last + 1)) >> 64
        order[last], order[other] = order[other], order[last]
    return order
