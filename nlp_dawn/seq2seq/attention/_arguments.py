"""What the functions of this chapter accept."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, floats


def checked_scores(
    memory: npt.ArrayLike, query: npt.ArrayLike
) -> tuple[Array, Array]:
    """Return a memory and one query per sentence, as arrays that fit."""
    memory, query = floats(memory, "memory"), floats(query, "query")
    if memory.ndim != 3 or query.ndim != 2 or len(memory) != len(query):
        raise ValueError(
            "memory must be (B, S, M) and query (B, H): "
            f"memory {memory.shape}, query {query.shape}"
        )
    return memory, query


def checked_attention(
    scores: npt.ArrayLike,
    values: npt.ArrayLike,
    mask: npt.ArrayLike | None,
    temperature: float,
) -> tuple[Array, Array, Array | None]:
    """Return what attention needs, as arrays that fit together."""
    scores, values = floats(scores, "scores"), floats(values, "values")
    if scores.ndim == 0 or scores.shape != values.shape[:-1]:
        raise ValueError(
            "scores must be (..., S) and values (..., S, M): "
            f"scores {scores.shape}, values {values.shape}"
        )
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    if mask is not None:
        mask = np.asarray(mask)
        if mask.dtype != np.bool_:
            raise TypeError(f"mask must be boolean, got {mask.dtype}")
        if mask.shape != scores.shape:
            raise ValueError(
                "the mask needs one entry per score: "
                f"scores {scores.shape}, mask {mask.shape}"
            )
    taking_part = scores if mask is None else scores[mask]
    if not np.isfinite(taking_part).all():
        raise ValueError(
            "scores must be finite where attention may go, got "
            f"{taking_part[~np.isfinite(taking_part)][0]} in scores of shape "
            f"{scores.shape}"
        )
    return scores, values, mask


def checked_sources(sources: npt.ArrayLike) -> Array:
    """Return source sentences as a table of word ids."""
    sources = np.asarray(sources)
    if sources.ndim != 2:
        raise ValueError(f"sources must be (B, S), got {sources.shape}")
    return _word_ids(sources, "sources")


def checked_pairs(
    sources: npt.ArrayLike, targets: npt.ArrayLike
) -> tuple[Array, Array]:
    """Return sources and targets as tables with the same number of rows."""
    sources, targets = checked_sources(sources), np.asarray(targets)
    if (
        targets.ndim != 2
        or targets.shape[1] < 1
        or len(targets) != len(sources)
    ):
        raise ValueError(
            "sources must be (B, S) and targets (B, T + 1), beginning with "
            f"<s>: sources {sources.shape}, targets {targets.shape}"
        )
    return sources, _word_ids(targets, "targets")


def _word_ids(ids: Array, name: str) -> Array:
    if ids.size == 0:
        return ids.astype(np.intp)
    if not np.issubdtype(ids.dtype, np.integer):
        raise TypeError(f"{name} must be integers, got {ids.dtype}")
    return ids
