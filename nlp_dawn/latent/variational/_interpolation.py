"""Ways from one point to another."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, floats


def interpolate(
    start: npt.ArrayLike,
    end: npt.ArrayLike,
    n: int,
    *,
    kind: Literal["linear", "spherical"] = "linear",
) -> Array:
    r"""Go from one point to another in equal steps.

    .. math::
        (1 - t)\, z_0 + t\, z_1 \quad\text{or}\quad
        \frac{\sin((1 - t)\omega)}{\sin \omega} z_0
        + \frac{\sin(t \omega)}{\sin \omega} z_1, \qquad
        \cos \omega = \frac{z_0 \cdot z_1}{\|z_0\| \|z_1\|}

    Halfway between two independent draws from the prior the straight line is
    closer to the origin than draws are, by a factor of about √2 where there
    are many dimensions; the arc is not.

    :concept:`vae-generation`

    Parameters
    ----------
    start, end : (Z,)
        The points.
    n : int
        How many points, both ends included.
    kind : {"linear", "spherical"}
        Straight, or along the arc between the two directions.

    Returns
    -------
    (n, Z)
        The points on the way.

    Raises
    ------
    ValueError
        If the points do not fit, `n` is below 2, the kind is unknown, or no
        arc is the shortest one: at the origin, and between opposite points.

    References
    ----------
    Shoemake (1985), "Animating rotation with quaternion curves"; White
    (2016), "Sampling generative networks".

    Examples
    --------
    >>> interpolate([1.0, 0.0], [0.0, 1.0], 3)[1]
    array([0.5, 0.5])
    >>> interpolate([1.0, 0.0], [0.0, 1.0], 3, kind="spherical")[1].round(4)
    array([0.7071, 0.7071])
    """
    start, end = floats(start, "start"), floats(end, "end")
    if start.ndim != 1 or start.shape != end.shape:
        raise ValueError(
            f"points must be (Z,): start {start.shape}, end {end.shape}"
        )
    if n < 2:
        raise ValueError(f"both ends are included: n must be ≥ 2, got {n}")
    if kind not in ("linear", "spherical"):
        raise ValueError(f"kind is 'linear' or 'spherical', got {kind!r}")
    dtype = np.result_type(start, end)
    t = np.linspace(0, 1, n, dtype=dtype)[:, None]  # (n, 1)
    if kind == "linear":
        return np.asarray((1 - t) * start + t * end)
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if min(lengths) == 0:
        raise ValueError("the origin has no direction: no arc leads to it")
    a, b = start / lengths[0], end / lengths[1]
    # By chords: arccos of a dot product near 1 loses half of the digits.
    angle = 2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
    if np.linalg.norm(a + b) < 1e-6:
        raise ValueError(
            "between opposite points every arc is as short as any other: "
            f"start {start}, end {end}"
        )
    # sin(tω) / sin ω = t sinc(tω) / sinc ω, which has no 0 / 0 at ω = 0.
    whole = np.sinc(angle / np.pi)
    first = (1 - t) * np.sinc((1 - t) * angle / np.pi) / whole
    second = t * np.sinc(t * angle / np.pi) / whole
    return np.asarray(first * start + second * end, dtype=dtype)
