"""The two networks of the model: one that reads, one that writes."""

from typing import Any

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import linear
from nlp_dawn.foundations.perceptrons import embedding, tanh_layer
from nlp_dawn.latent.variational._remedies import bag_of_words_loss
from nlp_dawn.recurrent.gates import lstm_fused
from nlp_dawn.typing import Array, Backward


def encode(
    params: dict[str, Array], words: Array, mask: Array
) -> tuple[Array, Array, Backward]:
    """Read (B, T) words; return mean and log-variance, (B, Z) each."""
    x, to_table = embedding(words, params["encoder.embedding.W"])
    weights = (params[f"encoder.{name}"] for name in "WUb")
    # The state passes over padding: at the end it is that of the last word.
    (hs, (h, c)), to_lstm = lstm_fused(x, None, *weights, mask=mask)
    mean, to_mean = linear(h, params["mean.W"], params["mean.b"])
    log_variance, to_log_variance = linear(
        h, params["log_variance.W"], params["log_variance.b"]
    )

    def backward(dmean: Array, dlog_variance: Array) -> dict[str, Any]:
        dh, dW_mean, db_mean = to_mean(dmean)
        dh_too, dW_spread, db_spread = to_log_variance(dlog_variance)
        last = dh + dh_too, np.zeros_like(c)
        dx, _, dW, dU, db = to_lstm(np.zeros_like(hs), last)
        return {
            "encoder.embedding.W": to_table(dx),
            "encoder.W": dW,
            "encoder.U": dU,
            "encoder.b": db,
            "mean.W": dW_mean,
            "mean.b": db_mean,
            "log_variance.W": dW_spread,
            "log_variance.b": db_spread,
        }

    return mean, log_variance, backward


def decode(
    params: dict[str, Array], inputs: Array, z: Array
) -> tuple[Array, Backward]:
    """Read (B, T) words with (B, Z) in mind; return the states (B, T, H)."""
    x, to_table = embedding(inputs, params["decoder.embedding.W"])
    state, biases, to_z = enter(params, z)
    (hs, _), to_lstm = lstm_fused(
        x, state, params["decoder.W"], params["decoder.U"], biases
    )

    def backward(dhs: Array) -> tuple[Array, dict[str, Any]]:
        dx, dstate, dW, dU, dbiases = to_lstm(dhs)
        dz, dways = to_z(dstate, dbiases)
        return dz, {
            "decoder.embedding.W": to_table(dx),
            "decoder.W": dW,
            "decoder.U": dU,
            **dways,
        }

    return hs, backward


def enter(
    params: dict[str, Array], z: Array
) -> tuple[tuple[Array, Array] | None, Array, Backward]:
    """Turn z into a first state (B, H), and into biases (B, 4H) for all steps.

    Beside the word, z would be multiplied by the same weights at every step;
    [x, z] [W; Z] + b = x W + (z Z + b), and what is in brackets is one row per
    sentence.
    """
    bias = params["decoder.b"]
    state: tuple[Array, Array] | None = None
    biases = np.broadcast_to(bias, (len(z), len(bias)))
    if "bridge.W" in params:
        c, to_bridge = linear(z, params["bridge.W"], params["bridge.b"])
        h, to_tanh = tanh_layer(c)
        state = h, c
    if "decoder.Z" in params:
        biases, to_biases = linear(z, params["decoder.Z"], bias)

    def backward(
        dstate: tuple[Array, Array], dbiases: Array
    ) -> tuple[Array, dict[str, Array]]:
        dz, dways = np.zeros_like(z), {"decoder.b": dbiases.sum(axis=0)}
        if "bridge.W" in params:
            dh, dc = dstate
            dz, dways["bridge.W"], dways["bridge.b"] = to_bridge(
                dc + to_tanh(dh)
            )
        if "decoder.Z" in params:
            dz_too, dways["decoder.Z"], _ = to_biases(dbiases)
            dz = dz + dz_too
        return dz, dways

    return state, biases, backward


def bag_of_words(
    params: dict[str, Array], z: Array, targets: Array, mask: Array
) -> tuple[Array, Backward]:
    """Return the bag-of-words loss of every sentence, zeros without a head."""
    if "bow.W" not in params:
        return np.zeros(len(z), z.dtype), lambda dloss: (np.zeros_like(z), {})
    logits, to_head = linear(z, params["bow.W"], params["bow.b"])  # (B, V)
    loss, to_logits = bag_of_words_loss(logits, targets, mask)

    def backward(dloss: Array) -> tuple[Array, dict[str, Array]]:
        dz, dW, db = to_head(to_logits(dloss))
        return dz, {"bow.W": dW, "bow.b": db}

    return loss, backward


def sentences(ids: npt.ArrayLike, pad: int) -> tuple[Array, Array]:
    """Return sentences, and where their words are that must be predicted."""
    ids = np.asarray(ids)
    if ids.ndim != 2 or ids.shape[1] < 2:
        raise ValueError(
            "ids must be (B, T + 1): a start mark and at least one word, "
            f"got {ids.shape}"
        )
    if ids.size == 0:
        ids = ids.astype(np.intp)
    if ids.dtype.kind not in "iu":
        raise TypeError(f"ids must be word numbers, got {ids.dtype}")
    mask = ids[:, 1:] != pad
    if not mask[:, 0].all() or (mask[:, 1:] & ~mask[:, :-1]).any():
        row = int((~mask[:, 0] | (mask[:, 1:] & ~mask[:, :-1]).any(1)).argmax())
        raise ValueError(
            "every sentence needs a word, and padding only behind its last "
            f"one; row {row} is {ids[row].tolist()} with pad {pad}"
        )
    return ids, mask


def ways_of_z(params: dict[str, Array]) -> None:
    if "bridge.W" not in params and "decoder.Z" not in params:
        raise ValueError(
            "z has no way into the decoder: neither bridge.W nor decoder.Z "
            f"is among {sorted(params)}"
        )
