"""From gradients to steps."""

from collections.abc import Mapping
from typing import Protocol, TypeAlias

import numpy as np

from nlp_dawn.foundations.perceptrons import RowGradient
from nlp_dawn.typing import Array

#: Parameters under flat dotted names, such as ``embedding.W``.
Params: TypeAlias = dict[str, Array]

#: One gradient per parameter, under the same names. That of an embedding is a
#: `RowGradient`: the rows that were looked up, and nothing for the others.
Gradients: TypeAlias = Mapping[str, Array | RowGradient]

#: So many numbers of a parameter are changed at a time: they stay in the
#: processor's cache, where fresh memory for all of them would not.
BLOCK = 2**15


class Optimizer(Protocol):
    """What the training loop asks of an optimizer."""

    def step(
        self, params: Params, grads: Gradients, learning_rate: float
    ) -> None:
        """Change the parameters in place."""

    def state(self) -> dict[str, Array]:
        """Return what has to be saved to go on exactly."""

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` returned."""


class SGD:
    r"""Stochastic gradient descent, with momentum if asked for.

    .. math::
        v \leftarrow \mu v + g, \qquad \theta \leftarrow \theta - \eta v

    Without momentum only the rows of an embedding that were looked up are
    touched; momentum keeps moving all of them.

    :concept:`sgd-minibatch`

    Parameters
    ----------
    momentum : float
        μ, from 0 to below 1.

    Raises
    ------
    ValueError
        If the momentum is out of range.

    References
    ----------
    Robbins and Monro (1951), "A stochastic approximation method".

    Examples
    --------
    >>> params = {"x": np.array([1.0, -2.0])}
    >>> SGD().step(params, {"x": np.array([0.5, 0.5])}, learning_rate=0.2)
    >>> params["x"]
    array([ 0.9, -2.1])
    """

    def __init__(self, momentum: float = 0.0):
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum takes 0 to below 1, got {momentum}")
        self.momentum = momentum
        self._velocity: Params = {}

    def step(
        self, params: Params, grads: Gradients, learning_rate: float
    ) -> None:
        """Take one step, in place.

        Parameters
        ----------
        params : dict from str to array
            Changed in place.
        grads : mapping from str to array or RowGradient
            Gradients of the loss, under the parameters' names.
        learning_rate : float
            η.

        Raises
        ------
        ValueError
            If names or shapes of gradients and parameters disagree.
        """
        _check_names(params, grads)
        for name, g in grads.items():
            if self.momentum:
                v = self._velocity.setdefault(name, np.zeros_like(params[name]))
                v *= self.momentum
                _add(v, g, 1.0)
                g = v
            _add(params[name], g, -learning_rate)

    def state(self) -> dict[str, Array]:
        """Return the velocities, one per parameter that has moved."""
        return dict(self._velocity)

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` returned."""
        self._velocity = {name: v.copy() for name, v in state.items()}


class Adam:
    r"""Steps of about the same length in every coordinate.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad
        v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2, \qquad
        \theta \leftarrow \theta - \eta\,
        \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon}

    :concept:`adam`

    Parameters
    ----------
    beta1, beta2 : float
        How long the averages of g and of g² remember.
    epsilon : float
        Keeps the step finite where g has always been zero.

    Raises
    ------
    ValueError
        If one is out of range.

    References
    ----------
    Kingma and Ba (2015), "Adam: a method for stochastic optimization",
    algorithm 1.

    Examples
    --------
    The first step has length η, whatever the gradient's size:

    >>> params = {"x": np.zeros(2)}
    >>> Adam().step(params, {"x": np.array([100.0, -0.01])}, learning_rate=0.1)
    >>> params["x"].round(5)
    array([-0.1,  0.1])
    """

    def __init__(
        self, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
    ):
        if not (0 <= beta1 < 1 and 0 <= beta2 < 1):
            raise ValueError(
                f"betas take 0 to below 1, got beta1 {beta1}, beta2 {beta2}"
            )
        if epsilon <= 0:
            raise ValueError(f"epsilon must be positive, got {epsilon}")
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self._t = 0
        self._m: Params = {}
        self._v: Params = {}

    def step(
        self, params: Params, grads: Gradients, learning_rate: float
    ) -> None:
        """Take one step, in place.

        Parameters
        ----------
        params : dict from str to array
            Changed in place.
        grads : mapping from str to array or RowGradient
            Gradients of the loss, under the parameters' names.
        learning_rate : float
            η.

        Raises
        ------
        ValueError
            If names or shapes of gradients and parameters disagree.
        """
        _check_names(params, grads)
        self._t += 1
        m_scale = 1 / (1 - self.beta1**self._t)
        v_scale = 1 / (1 - self.beta2**self._t)
        for name, g in grads.items():
            theta = params[name]
            m = self._m.setdefault(name, np.zeros_like(theta))
            v = self._v.setdefault(name, np.zeros_like(theta))
            g = g.dense() if isinstance(g, RowGradient) else g
            _check_shapes(theta, g)
            m += (1 - self.beta1) * (g - m)
            v += (1 - self.beta2) * (g * g - v)
            theta -= (
                learning_rate
                * (m_scale * m)
                / (np.sqrt(v_scale * v) + self.epsilon)
            )

    def state(self) -> dict[str, Array]:
        """Return both averages of every parameter and the number of steps."""
        return {
            "t": np.array(self._t),
            **{f"m/{name}": m for name, m in self._m.items()},
            **{f"v/{name}": v for name, v in self._v.items()},
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` returned."""
        self._t = int(state["t"])
        for kind, averages in (("m/", self._m), ("v/", self._v)):
            averages.clear()
            for name, average in state.items():
                if name.startswith(kind):
                    averages[name.removeprefix(kind)] = average.copy()


def _add(x: Array, g: Array | RowGradient, scale: float) -> None:
    """Add a scaled gradient to an array, in place."""
    _check_shapes(x, g)
    if isinstance(g, RowGradient):
        x[g.rows] += scale * g.values  # rows are unique
        return
    x, g = np.atleast_1d(x, g)  # views
    step = max(1, BLOCK // max(1, x[:1].size))
    for start in range(0, len(x), step):
        some = slice(start, start + step)
        x[some] += scale * g[some]


def _check_names(params: Params, grads: Gradients) -> None:
    unknown, missing = (
        grads.keys() - params.keys(),
        params.keys() - grads.keys(),
    )
    if unknown or missing:
        raise ValueError(
            "gradients and parameters differ: without a parameter "
            f"{sorted(unknown)}, without a gradient {sorted(missing)}"
        )


def _check_shapes(x: Array, g: Array | RowGradient) -> None:
    shape = (
        (g.n_rows, *g.values.shape[1:])
        if isinstance(g, RowGradient)
        else np.shape(g)
    )
    if shape != x.shape:
        raise ValueError(
            "a gradient has another shape than its parameter: "
            f"gradient {shape}, parameter {x.shape}"
        )
