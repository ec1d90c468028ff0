"""What every gated layer checks, and how a state passes over padding."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, floats


def fitting(
    x: npt.ArrayLike,
    W: npt.ArrayLike,
    U: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    blocks: int,
    axes: int,
    own_biases: bool = False,
) -> tuple[Array, Array, Array, Array]:
    """Return inputs and weights as arrays of floats that fit together.

    Parameters
    ----------
    x : (B, T, D) or (B, D)
        Inputs.
    W, U, b : (D, kH), (H, kH), (kH,)
        Weights and biases, one block of H columns for each of k gates.
    blocks : int
        k.
    axes : int
        How many axes x must have.
    own_biases : bool
        Whether b may be (B, kH), too: biases of its own for every sequence.

    Raises
    ------
    ValueError
        If they do not fit.
    """
    x, W, U, b = floats(x, "x"), floats(W, "W"), floats(U, "U"), floats(b, "b")
    letters = {2: "(B, D)", 3: "(B, T, D)"}[axes]
    if x.ndim != axes:
        raise ValueError(f"inputs must be {letters}, got x {x.shape}")
    if W.ndim != 2 or x.shape[-1] != W.shape[0]:
        raise ValueError(
            f"inputs and weights do not fit: x {x.shape}, W {W.shape}"
        )
    if U.ndim != 2 or U.shape != (W.shape[1] // blocks, W.shape[1]):
        raise ValueError(
            f"W must be (D, {blocks}H) and U (H, {blocks}H): "
            f"W {W.shape}, U {U.shape}"
        )
    shapes = [W.shape[1:], (len(x), W.shape[1])][: 1 + own_biases]
    if b.shape not in shapes:
        raise ValueError(
            f"weights and biases do not fit: W {W.shape}, b {b.shape}"
        )
    return x, W, U, b


def fitting_update(
    a: npt.ArrayLike, h: npt.ArrayLike, U: npt.ArrayLike
) -> tuple[Array, Array, Array]:
    """Return what one update of a GRU takes, as arrays that fit together.

    Raises
    ------
    ValueError
        If they do not.
    """
    a, h, U = floats(a, "a"), floats(h, "h"), floats(U, "U")
    if h.ndim != 2 or U.shape != (h.shape[1], 3 * h.shape[1]):
        raise ValueError(
            f"h must be (B, H) and U (H, 3H): h {h.shape}, U {U.shape}"
        )
    if a.shape != (len(h), 3 * h.shape[1]):
        raise ValueError(
            f"a must be (B, 3H) and h (B, H): a {a.shape}, h {h.shape}"
        )
    return a, h, U


def initial(
    state: npt.ArrayLike | None, x: Array, U: Array, name: str = "state"
) -> Array:
    """Return the state (B, H) before the first step, zeros for ``None``.

    Raises
    ------
    ValueError
        If it has not one row per sequence and one column per unit.
    """
    shape = (len(x), len(U))
    if state is None:
        return np.zeros(shape, np.result_type(x, U))
    state = floats(state, name)
    if state.shape != shape:
        raise ValueError(
            f"{name} must be (B, H) = {shape}, got {name} {state.shape}"
        )
    return state


def kept(mask: npt.ArrayLike | None, x: Array) -> Array | None:
    """Return the mask as (B, T, 1), or ``None`` where all words are real.

    Raises
    ------
    TypeError
        If it is not boolean.
    ValueError
        If it has not one entry per word.
    """
    if mask is None:
        return None
    mask = np.asarray(mask)
    if mask.dtype != bool:
        raise TypeError(f"a mask is boolean, got {mask.dtype}")
    if mask.shape != x.shape[:2]:
        raise ValueError(
            f"inputs and mask do not fit: x {x.shape}, mask {mask.shape}"
        )
    return mask[..., None]


def carry(new: Array, old: Array, keep: Array | None, t: int) -> Array:
    """Take the new state where step t has a real word, else the old one."""
    return new if keep is None else np.where(keep[:, t], new, old)


def divide(d: Array, keep: Array | None, t: int) -> tuple[Array, Array | float]:
    """Divide a state's gradient as `carry` did: through step t, or past it."""
    if keep is None:
        return d, 0.0
    through = np.where(keep[:, t], d, 0)
    return through, d - through


def rows(x: Array) -> Array:
    """Write (B, T, D) as (BT, D), so that one product sums over all steps."""
    return x.reshape(-1, x.shape[-1])
