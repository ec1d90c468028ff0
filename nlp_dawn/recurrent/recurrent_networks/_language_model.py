"""A recurrent network that guesses the next word, and its gradient."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.perceptrons import embedding
from nlp_dawn.recurrent.language_models import linear_then_cross_entropy
from nlp_dawn.recurrent.recurrent_networks._recurrence import rnn, rnn_init
from nlp_dawn.typing import Array, Backward

#: A recurrent layer: ``(x, state, W, U, b, ..., mask=) -> (hs, state),
#: backward``, with ``backward(dhs, dstate=None) -> (dx, dstate, dW, ...)``.
RecurrentLayer: TypeAlias = Callable[..., tuple[tuple[Array, Any], Backward]]

#: The last layer and the loss: ``(hs, W, b, targets, ignore_index=) ->
#: loss, backward``, with ``backward(dloss) -> (dhs, dW, db)``.
OutputLoss: TypeAlias = Callable[..., tuple[Array, Backward]]


def recurrent_language_model(
    params: dict[str, Array],
    inputs: npt.ArrayLike,
    targets: npt.ArrayLike,
    state: Any = None,
    *,
    layer: RecurrentLayer = rnn,
    output: OutputLoss | None = None,
    pad: int | None = None,
) -> tuple[tuple[Array, Any], Backward]:
    r"""Read words and pay, at each, for the one that comes next.

    .. math::
        h_t = \mathrm{layer}(E_{w_t}, h_{t-1}), \qquad
        L = -\frac{1}{N} \sum_{b,t} \ln
        \mathrm{softmax}(h_t W_o + b_o)_{w_{t+1}}

    :concept:`rnn-cell` :concept:`bptt` :concept:`padding-masking`

    Parameters
    ----------
    params : dict
        ``embedding.W`` (V, D); ``rnn.W``, ``rnn.U``, ``rnn.b``; ``output.W``
        (H, V), ``output.b``. Stacked layers are ``rnn.0.W``, ``rnn.1.W``, …:
        each reads what the one below it remembers. A layer's other parameters
        follow b in alphabetical order.
    inputs : (B, T) of int
        Words that are read.
    targets : (B, T) of int
        The word after each.
    state : optional
        What an earlier call returned, to read on from there; zeros if None.
        A tuple with one state per layer if layers are stacked.
    layer : callable
        :func:`rnn`, or another layer of the same form.
    output : callable, optional
        Last layer and loss in one, ``(hs, W, b, targets, ignore_index=)``; by
        default ``linear`` and ``cross_entropy`` of chapter 2.
    pad : int, optional
        The id of padding: not read, and not paid for.

    Returns
    -------
    (loss, state) : () and state
        Mean loss in nats per target that counts, and the state at the end.
    backward : callable
        ``(dloss=1.0) -> dparams``; the gradient stops at `state`, so a text
        that is read in pieces is trained by truncated back-propagation.

    Raises
    ------
    TypeError
        If the words are not integers.
    ValueError
        If inputs and targets differ in shape, or parameters are missing.

    References
    ----------
    Mikolov et al. (2010), "Recurrent neural network based language model".

    Examples
    --------
    Nothing learned: with four words the loss is ln 4.

    >>> params = init_recurrent_language_model(
    ...     4, 2, 3, rng=np.random.default_rng(0)
    ... )
    >>> params["output.W"][:] = 0
    >>> (loss, state), _ = recurrent_language_model(params, [[1, 2]], [[2, 3]])
    >>> float(loss).__round__(4), state.shape
    (1.3863, (1, 3))
    """
    inputs, targets = np.asarray(inputs), np.asarray(targets)
    if inputs.ndim != 2 or inputs.shape != targets.shape:
        raise ValueError(
            "inputs and targets must both be (B, T): "
            f"inputs {inputs.shape}, targets {targets.shape}"
        )
    mask = None if pad is None else inputs != pad
    output = linear_then_cross_entropy if output is None else output

    hs, to_embedding = embedding(inputs, params["embedding.W"])  # (B, T, D)
    hs, state, to_layers = stack(params, hs, state, layer, mask)  # (B, T, H)
    loss, to_output = output(
        hs, params["output.W"], params["output.b"], targets, ignore_index=pad
    )

    def backward(dloss: npt.ArrayLike = 1.0) -> dict[str, Any]:
        dhs, dW, db = to_output(dloss)
        dx, dlayers = to_layers(dhs)
        return {
            "embedding.W": to_embedding(dx),
            **dlayers,
            "output.W": dW,
            "output.b": db,
        }

    return (loss, state), backward


def init_recurrent_language_model(
    vocabulary_size: int,
    embedding: int,
    hidden: int,
    *,
    gates: int = 1,
    layers: int = 1,
    rng: np.random.Generator,
    dtype: npt.DTypeLike = np.float32,
) -> dict[str, Array]:
    r"""Draw the parameters of a language model that knows nothing yet.

    .. math:: E, W_o \sim \mathcal U(-0.1, 0.1), \qquad b_o = 0, \qquad
        W, U, b \text{ by rnn\_init}

    So small an output layer gives every word about the same probability: the
    first loss is close to ln V.

    :concept:`rnn-cell`

    Parameters
    ----------
    vocabulary_size : int
        V.
    embedding : int
        D, the width of a word's vector.
    hidden : int
        H, the width of a memory.
    gates : int
        Blocks of H columns in the recurrent weights (1 for :func:`rnn`).
    layers : int
        How many recurrent layers stand on one another.
    rng : numpy.random.Generator
        Draws.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    dict
        Parameters for :func:`recurrent_language_model`.

    Raises
    ------
    ValueError
        If a size is not positive.

    Examples
    --------
    >>> params = init_recurrent_language_model(
    ...     9, 2, 3, layers=2, rng=np.random.default_rng(0)
    ... )
    >>> sorted(params)[1:4], params["rnn.1.W"].shape
    (['output.W', 'output.b', 'rnn.0.U'], (3, 3))
    """
    if min(vocabulary_size, embedding, hidden, gates, layers) < 1:
        raise ValueError(
            "sizes must be positive, got "
            f"vocabulary_size {vocabulary_size}, embedding {embedding}, "
            f"hidden {hidden}, gates {gates}, layers {layers}"
        )

    def small(*shape: int) -> Array:
        return rng.uniform(-0.1, 0.1, shape).astype(dtype)

    params = {"embedding.W": small(vocabulary_size, embedding)}
    for number in range(layers):
        prefix = "rnn" if layers == 1 else f"rnn.{number}"
        below = embedding if number == 0 else hidden
        weights = rnn_init(below, hidden, gates=gates, rng=rng, dtype=dtype)
        params |= {f"{prefix}.{name}": w for name, w in weights.items()}
    params["output.W"] = small(hidden, vocabulary_size)
    params["output.b"] = np.zeros(vocabulary_size, dtype)
    return params


def stack(
    params: dict[str, Array],
    x: Array,
    state: Any,
    layer: RecurrentLayer,
    mask: npt.ArrayLike | None,
) -> tuple[Array, Any, Backward]:
    """Run the layers that the keys name, each on the memories of the last."""
    names = _layer_names(params)
    single = len(names) == 1
    states = [state] if single else list(state or [None] * len(names))
    if len(states) != len(names):
        raise ValueError(
            f"{len(names)} layers need as many states, got {len(states)}"
        )
    backwards: list[Backward] = []
    for number, keys in enumerate(names):
        weights = [params[key] for key in keys]
        (x, states[number]), back = layer(
            x, states[number], *weights, mask=mask
        )
        backwards.append(back)

    def backward(dhs: Array) -> tuple[Array, dict[str, Array]]:
        dparams: dict[str, Array] = {}
        for keys, back in reversed(list(zip(names, backwards, strict=True))):
            dhs, _, *dweights = back(dhs)  # dx is dhs of the layer below
            dparams |= dict(zip(keys, dweights, strict=True))
        return dhs, dparams

    return x, states[0] if single else tuple(states), backward


def _layer_names(params: dict[str, Array]) -> list[list[str]]:
    """Return the keys of every recurrent layer: W, U, b, then the others."""
    found: dict[str, list[str]] = {}
    for key in params:
        prefix, _, name = key.rpartition(".")
        if prefix.split(".")[0] == "rnn":
            found.setdefault(prefix, []).append(name)
    first = ["W", "U", "b"]
    missing = [
        f"{prefix}.{name}"
        for prefix, given in found.items()
        for name in first
        if name not in given
    ]
    if missing or not found:
        raise ValueError(
            "a recurrent layer needs W, U and b; missing "
            f"{', '.join(missing) or 'all'} among {sorted(params)}"
        )
    # By number, so that layer 10 stands above layer 9.
    layers = sorted(found, key=lambda p: int(p.partition(".")[2] or 0))
    return [
        [f"{p}.{n}" for n in first + sorted(set(found[p]) - set(first))]
        for p in layers
    ]
