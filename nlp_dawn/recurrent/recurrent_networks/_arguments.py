"""What the layers of this chapter accept."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, floats


def checked_sentences(
    x: npt.ArrayLike,
    state: npt.ArrayLike | None,
    W: npt.ArrayLike,
    U: npt.ArrayLike,
    b: npt.ArrayLike,
    mask: npt.ArrayLike | None,
) -> tuple[Array, Array, Array, Array, Array, Array | None]:
    """Return the arguments of a layer as arrays that fit together."""
    x, W, U = floats(x, "x"), floats(W, "W"), floats(U, "U")
    b = floats(b, "b")
    fit(x, W, U, b, n_axes=3)
    dtype = np.result_type(x, W, U, b)
    h = memories(state, len(x), len(U), dtype, "state")
    return x, h, W, U, b, keep_mask(mask, *x.shape[:2])


def checked_step(
    x: npt.ArrayLike,
    h: npt.ArrayLike,
    W: npt.ArrayLike,
    U: npt.ArrayLike,
    b: npt.ArrayLike,
) -> tuple[Array, Array, Array, Array, Array]:
    """Return the arguments of a cell as arrays that fit together."""
    x, h, W = floats(x, "x"), floats(h, "h"), floats(W, "W")
    U, b = floats(U, "U"), floats(b, "b")
    fit(x, W, U, b, n_axes=2)
    if h.shape != (len(x), len(U)):
        raise ValueError(
            f"words and memories do not fit: x {x.shape}, h {h.shape}, "
            f"U {U.shape}"
        )
    return x, h, W, U, b


def checked_errors(
    dhs: npt.ArrayLike,
    hs: npt.ArrayLike,
    U: npt.ArrayLike,
    dstate: npt.ArrayLike | None,
    mask: npt.ArrayLike | None,
) -> tuple[Array, Array, Array, Array, Array | None]:
    """Return the arguments of the way back as arrays that fit together."""
    dhs, hs, U = floats(dhs, "dhs"), floats(hs, "hs"), floats(U, "U")
    if hs.ndim != 3 or dhs.shape != hs.shape:
        raise ValueError(
            "memories and their gradients must both be (B, T, H): "
            f"hs {hs.shape}, dhs {dhs.shape}"
        )
    n_rows, n_steps, n_hidden = hs.shape
    if U.shape != (n_hidden, n_hidden):
        raise ValueError(
            f"memories and weights do not fit: hs {hs.shape}, U {U.shape}"
        )
    dh = memories(dstate, n_rows, n_hidden, hs.dtype, "dstate")
    return dhs, hs, U, dh, keep_mask(mask, n_rows, n_steps)


def fit(x: Array, W: Array, U: Array, b: Array, *, n_axes: int) -> None:
    if x.ndim != n_axes or W.ndim != 2 or x.shape[-1] != W.shape[0]:
        raise ValueError(
            f"words and weights do not fit: x {x.shape}, W {W.shape}"
        )
    if U.shape != (W.shape[1], W.shape[1]) or b.shape != W.shape[1:]:
        raise ValueError(
            f"weights differ in width: W {W.shape}, U {U.shape}, b {b.shape}"
        )


def memories(
    state: npt.ArrayLike | None,
    n_rows: int,
    n_hidden: int,
    dtype: npt.DTypeLike,
    name: str,
) -> Array:
    """Return one memory per row: the given ones, or zeros."""
    if state is None:
        return np.zeros((n_rows, n_hidden), dtype)
    h = floats(state, name)
    if h.shape != (n_rows, n_hidden):
        raise ValueError(
            f"one memory of width {n_hidden} for each of {n_rows} rows is "
            f"needed: {name} {h.shape}"
        )
    return h.astype(dtype, copy=False)


def keep_mask(
    mask: npt.ArrayLike | None, n_rows: int, n_steps: int
) -> Array | None:
    """Return a mask that broadcasts against memories, (B, T, 1)."""
    if mask is None:
        return None
    keep = np.asarray(mask)
    if keep.dtype != np.bool_:
        raise TypeError(f"mask must be boolean, got {keep.dtype}")
    if keep.shape != (n_rows, n_steps):
        raise ValueError(
            "the mask needs one entry per word: "
            f"mask {keep.shape}, words ({n_rows}, {n_steps})"
        )
    return keep[..., None]
