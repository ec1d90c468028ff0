"""The length of a vector of any size, where its square is no float too."""

import math

import numpy as np

from nlp_dawn.typing import Array

#: So many squares are summed in the vector's own precision.
BLOCK = 1024


def length(x: Array) -> float:
    flat = x.reshape(-1)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        squares = _sum_of_squares(flat)
    limits = np.finfo(x.dtype)
    floor = float(limits.tiny / limits.eps) * max(flat.size, 1)
    if floor <= squares < math.inf:
        return math.sqrt(squares)
    # The squares left the range of floats (or there is nothing but zeros):
    # measure in units of the largest entry.
    largest = float(np.abs(flat).max(initial=0))
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * math.sqrt(_sum_of_squares(flat / largest))


def _sum_of_squares(flat: Array) -> float:
    # A float32 sum over millions of entries loses digits; sums over blocks,
    # added in float64, do not, and they are as fast.
    whole = flat.size // BLOCK * BLOCK
    blocks, rest = flat[:whole].reshape(-1, BLOCK), flat[whole:]
    sums = np.vecdot(blocks, blocks)
    return float(sums.sum(dtype=np.float64)) + float(rest @ rest)
