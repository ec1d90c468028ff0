"""A decoder over whole target sentences: ``decoder_step`` again, for speed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlp_dawn.foundations.perceptrons import embedding
from nlp_dawn.seq2seq.attention._scores import shares
from nlp_dawn.seq2seq.attention._steps import (
    GRU,
    Encoded,
    attention_kind,
    bridge,
)
from nlp_dawn.typing import Array, Backward

#: ``states (R, H), words (R,) of int -> words (R,)``: which words the decoder
#: reads where it does not read the given ones.
Choose = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Keys:
    """What is compared with the state at every step, computed once.

    Attributes
    ----------
    kind : str
        Of the attention.
    keys : (B, S, A)
        The memory, or its image under W.
    U, v : (H, A), (A,), optional
        Of additive attention.
    """

    kind: str
    keys: Array
    U: Array | None = None
    v: Array | None = None

    def scores(self, state: Array) -> tuple[Array, Array | None]:
        """Return the scores (B, S), and tanh's values where there are any."""
        if self.v is None or self.U is None:
            return (self.keys @ state[:, :, None])[..., 0], None
        y = np.tanh(self.keys + (state @ self.U)[:, None])  # (B, S, A)
        return y @ self.v, y


def keys_of(params: dict[str, Array], memory: Array) -> Keys | None:
    """Compute what every step will compare its state with."""
    kind = attention_kind(params)
    if kind is None:
        return None
    if kind == "dot":
        return Keys(kind, memory)
    keys = memory @ params["attention.W"]
    return Keys(
        kind, keys, params.get("attention.U"), params.get("attention.v")
    )


def gru_step(a: Array, state: Array, U: Array, c: Array) -> tuple[Array, Array]:
    r"""Renew the state: ``gru_torch_update`` in place, for speed.

    With :math:`\sigma(a) = \frac12 \tanh(\frac12 a) + \frac12` the gates r, z
    and the candidate n take the place of their pre-activations in `a`.

    Returns
    -------
    state, recurrent : (B, H)
        The new state, and what the reset gate has multiplied.
    """
    n = len(U)
    u = state @ U  # (B, 3H)
    gates, candidate = a[:, : 2 * n], a[:, 2 * n :]
    gates += u[:, : 2 * n]
    gates *= 0.5
    np.tanh(gates, out=gates)
    gates *= 0.5
    gates += 0.5
    recurrent = u[:, 2 * n :]
    recurrent += c
    candidate += gates[:, :n] * recurrent
    np.tanh(candidate, out=candidate)
    new = state - candidate
    new *= gates[:, n:]
    new += candidate  # (1 − z) n + z s
    return new, recurrent


def gru_step_backward(
    dnew: Array, gates: Array, recurrent: Array, state: Array, n: int
) -> tuple[Array, Array, Array]:
    """Return the gradients of `a` and h U (B, 3H), and what z let pass."""
    r, z, candidate = gates[:, :n], gates[:, n : 2 * n], gates[:, 2 * n :]
    da = np.empty_like(gates)
    passed = dnew * z
    dcandidate = (dnew - passed) * (1 - candidate**2)  # tanh' = 1 − tanh²
    np.multiply(dcandidate, recurrent, out=da[:, :n])
    np.multiply(dnew, state - candidate, out=da[:, n : 2 * n])
    da[:, : 2 * n] *= gates[:, : 2 * n] * (1 - gates[:, : 2 * n])
    da[:, 2 * n :] = dcandidate
    du = da.copy()
    du[:, 2 * n :] *= r
    return da, du, passed


def unrolled(
    params: dict[str, Array],
    encoded: Encoded,
    words: Array,
    *,
    temperature: float = 1.0,
    choose: Choose | None = None,
) -> tuple[tuple[Array, Array | None], Backward]:
    """Write whole sentences: the states (T, B, H) and weights (T, B, S).

    Inside, time comes first. What does not depend on the state is computed for
    all steps at once: the products of words and of keys before the loop, the
    gradients of all weights after it.

    ``backward(dstates) -> ((dmemory, dsummary), dparams)``.
    """
    n_steps = len(words)
    keys = keys_of(params, encoded.memory)
    W, U, b, c = (params[f"decoder.{name}"] for name in GRU)
    memory, summary, mask = encoded.memory, encoded.summary, encoded.mask
    C = params["summary.C" if keys is None else "attention.C"]
    words = words.copy()  # some may be replaced

    start, to_bridge = bridge(summary, params["bridge.W"], params["bridge.b"])
    y, to_embedding = embedding(words, params["target.W"])  # (T, B, D)
    constant = b + summary @ C if keys is None else b
    a = y @ W + constant  # (T, B, 3H): becomes gates and candidates
    states = np.empty((n_steps + 1, *start.shape), a.dtype)
    states[0] = start
    recurrent = np.empty((n_steps, *start.shape), a.dtype)
    contexts = np.empty((n_steps, *summary.shape), a.dtype)
    weights = np.empty((n_steps, *memory.shape[:2]), a.dtype)
    hidden: list[Array | None] = []
    for t in range(n_steps):
        s = states[t]
        if choose is not None and t > 0:
            words[t] = choose(s, words[t])
            read = params["target.W"][words[t]]
            a[t] = read @ W + constant
        if keys is not None:
            scores, kept = keys.scores(s)
            hidden.append(kept)
            weights[t] = shares(scores, mask, temperature)
            contexts[t] = (weights[t][:, None] @ memory)[:, 0]
            a[t] += contexts[t] @ C
        states[t + 1], recurrent[t] = gru_step(a[t], s, U, c)
    if choose is not None:
        y, to_embedding = embedding(words, params["target.W"])

    def backward(
        dstates: Array,
    ) -> tuple[tuple[Array, Array], dict[str, Any]]:
        da, du = np.empty_like(a), np.empty_like(a)  # (T, B, 3H)
        dscores, dcontexts = np.empty_like(weights), np.empty_like(contexts)
        read = None if keys is None else _KeysBackward(keys)
        U_transposed = np.ascontiguousarray(U.T)  # once, not at every step
        C_transposed = np.ascontiguousarray(C.T)
        ds = np.zeros_like(start)
        for t in reversed(range(n_steps)):
            ds = ds + dstates[t]
            da[t], du[t], ds = gru_step_backward(
                ds, a[t], recurrent[t], states[t], len(U)
            )
            ds += du[t] @ U_transposed
            if read is not None:
                dcontexts[t] = da[t] @ C_transposed
                dweights = (memory @ dcontexts[t][:, :, None])[..., 0]
                mean = (weights[t] * dweights).sum(axis=-1, keepdims=True)
                dscores[t] = weights[t] * (dweights - mean) / temperature
                ds += read.step(dscores[t], states[t], hidden[t])
        dsummary, dbridge_W, dbridge_b = to_bridge(ds)
        dparams = {
            "target.W": to_embedding(da @ W.T),
            "decoder.W": rows(y).T @ rows(da),
            "decoder.U": rows(states[:-1]).T @ rows(du),
            "decoder.b": da.sum(axis=(0, 1)),
            "decoder.c": du[..., -len(c) :].sum(axis=(0, 1)),
            "bridge.W": dbridge_W,
            "bridge.b": dbridge_b,
        }
        if read is None:
            total = da.sum(axis=0)  # (B, 3H): every step has read it
            dparams["summary.C"] = summary.T @ total
            return (np.zeros_like(memory), dsummary + total @ C.T), dparams
        dparams["attention.C"] = rows(contexts).T @ rows(da)
        # Σ_t a_ti dc_t for every sentence, as one product of (S, T) and (T, M)
        dmemory = weights.transpose(1, 2, 0) @ dcontexts.swapaxes(0, 1)
        dkeys, dattention = read.finish(dscores, states[:-1])
        dparams |= dattention
        if keys is None or keys.kind == "dot":
            return (dmemory + dkeys, dsummary), dparams
        W_a = params["attention.W"]
        dparams["attention.W"] = rows(memory).T @ rows(dkeys)
        return (dmemory + dkeys @ W_a.T, dsummary), dparams

    return (states[1:], None if keys is None else weights), backward


class _KeysBackward:
    """Gradients of the comparison of keys and states, step by step."""

    def __init__(self, keys: Keys) -> None:
        self.given = keys
        self.dkeys: Array | float = 0.0
        self.dU: Array | float = 0.0
        self.dv: Array | float = 0.0

    def step(self, dscores: Array, state: Array, hidden: Array | None) -> Array:
        """Return the gradient of the state."""
        keys, U, v = self.given.keys, self.given.U, self.given.v
        if hidden is None or U is None or v is None:
            dstate: Array = (dscores[:, None] @ keys)[:, 0]
            return dstate
        self.dv = self.dv + dscores.reshape(-1) @ rows(hidden)
        dy = 1 - hidden**2  # (B, S, A); tanh' = 1 - tanh²
        dy *= v
        dy *= dscores[..., None]
        dquery = dy.sum(axis=1)
        self.dkeys = self.dkeys + dy
        self.dU = self.dU + state.T @ dquery
        return np.asarray(dquery @ U.T)

    def finish(
        self, dscores: Array, states: Array
    ) -> tuple[Array, dict[str, Array]]:
        """Return the gradient of the keys, and those of U and v."""
        if self.given.kind != "additive":
            dkeys = dscores.transpose(1, 2, 0) @ states.swapaxes(0, 1)
            return dkeys, {}
        keys, U, v = self.given.keys, self.given.U, self.given.v
        zeros = np.zeros_like  # all that is left where there was no step
        return zeros(keys) + self.dkeys, {
            "attention.U": zeros(U) + self.dU,
            "attention.v": zeros(v) + self.dv,
        }


def rows(x: Array) -> Array:
    """Write (T, B, D) as (TB, D), so that one product sums over all steps."""
    return x.reshape(-1, x.shape[-1])
