"""What the runs of VAE language models share: aids, training, and bounds.

A system is a VAE language model with some of the three aids against an idle
latent variable (`Remedies`), or a plain LSTM language model beside it. All are
trained by the same loop (`fit`). A decoder all of whose input words are hidden
in training must not see any word later either (`blindfolded`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from nlp_dawn.foundations.classification import linear_cross_entropy
from nlp_dawn.foundations.optimization import Adam, History, Step, train
from nlp_dawn.latent.collapse import linear_schedule
from nlp_dawn.latent.variational import (
    VAEResult,
    drop_words,
    init_vae_language_model,
    vae_language_model,
)
from nlp_dawn.recurrent.gates import lstm_fused
from nlp_dawn.recurrent.gradient_clipping import clip_by_global_norm
from nlp_dawn.recurrent.recurrent_networks import recurrent_language_model
from nlp_dawn.typing import Array, Backward

PAD, START, STOP = 0, 1, 2
#: The training loss of a batch: ``(params, ids, step) -> (loss, backward)``.
Objective = Callable[[dict[str, Array], Array, Step], tuple[Array, Backward]]


@dataclass(frozen=True)
class Remedies:
    """What is done so that the latent variable is used.

    Attributes
    ----------
    annealing : int
        Steps until the divergence counts fully; 0 if it does from the start.
    word_dropout : float
        Share of the decoder's input words that are hidden; 1 hides all.
    bow_weight : float
        Weight of the bag-of-words loss.
    """

    annealing: int = 0
    word_dropout: float = 0.0
    bow_weight: float = 0.0

    @property
    def inputless(self) -> bool:
        """Whether the decoder sees no word at all."""
        return self.word_dropout == 1

    @property
    def name(self) -> str:
        """What such a system is called.

        >>> Remedies().name, Remedies(100, 0.5, 1.0).name
        ('plain', 'annealing, word dropout 0.5, bag of words')
        """
        parts = ["annealing"] if self.annealing else []
        if self.word_dropout:
            parts.append(
                "inputless"
                if self.inputless
                else f"word dropout {self.word_dropout:g}"
            )
        parts += ["bag of words"] if self.bow_weight else []
        return ", ".join(parts) or "plain"


def initial_vae(
    remedies: Remedies, vocabulary_size: int, **options: Any
) -> dict[str, Array]:
    """Draw parameters; without the bag of words the same, but for its head."""
    params = init_vae_language_model(
        vocabulary_size, bag_of_words=True, **options
    )
    return {
        name: weights
        for name, weights in params.items()
        if remedies.bow_weight or not name.startswith("bow.")
    }


def vae_objective(remedies: Remedies, *, unknown: int) -> Objective:
    """Return what a VAE with these aids minimizes."""

    def objective(
        params: dict[str, Array], ids: Array, step: Step
    ) -> tuple[Array, Backward]:
        result, backward = vae_language_model(
            params,
            ids,
            pad=PAD,
            beta=linear_schedule(step.number, remedies.annealing),
            bow_weight=remedies.bow_weight,
            word_dropout=remedies.word_dropout,
            unknown=unknown,
            rng=step.rng,
        )
        return result.loss, backward

    return objective


def language_model(
    params: dict[str, Array], inputs: Array, targets: Array
) -> tuple[Array, Backward]:
    """Return nats per *sentence* of an LSTM language model, as a VAE has them.

    Parameters
    ----------
    params : dict
        As for ``recurrent_language_model``.
    inputs, targets : (B, T) of int
        Words that are read, or what hides them; the word after each, padded.
    """
    (per_word, _), backward = recurrent_language_model(
        params,
        inputs,
        targets,
        layer=lstm_fused,
        output=linear_cross_entropy,
        pad=PAD,
    )
    n_words = (targets != PAD).sum() / max(len(targets), 1)
    scale = per_word.dtype.type(n_words)

    def scaled(dloss: float = 1.0) -> dict[str, Any]:
        dparams: dict[str, Any] = backward(dloss * scale)
        return dparams

    return np.asarray(per_word * scale), scaled


def lm_objective(word_dropout: float, *, unknown: int) -> Objective:
    """Return what an LSTM language model minimizes, words hidden or not."""

    def objective(
        params: dict[str, Array], ids: Array, step: Step
    ) -> tuple[Array, Backward]:
        inputs = drop_words(
            ids[:, :-1], word_dropout, unknown=unknown, rng=step.rng
        )
        return language_model(params, inputs, ids[:, 1:])

    return objective


def fit(
    objective: Objective,
    params: dict[str, Array],
    batches: Callable[[np.random.Generator], Iterable[Array]],
    *,
    epochs: int,
    steps: int,
    learning_rate: float,
    clip: float,
    rng: np.random.Generator,
    evaluate: Callable[[dict[str, Array]], dict[str, float]],
    checkpoint: Path | None = None,
) -> History:
    """Train in place; go on from a checkpoint if there is one.

    Parameters
    ----------
    epochs, steps : int
        How often `evaluate` is called, and how many steps there are in all:
        the step size falls on a straight line to a twentieth.
    """
    return train(
        objective,
        params,
        batches,
        epochs=epochs,
        learning_rate=learning_rate,
        rng=rng,
        optimizer=Adam(),
        schedule=lambda step: 1 - 0.95 * step / steps,
        clip=partial(clip_by_global_norm, gamma=clip),
        evaluate=evaluate,
        checkpoint=checkpoint,
        progress=partial(tqdm, leave=False, disable=None),
    )


def blindfolded(params: dict[str, Array], *, unknown: int) -> dict[str, Array]:
    """Return a model whose decoder takes every word for the hidden one.

    All its words have the vector of `unknown`, but for the start mark: so it
    does by itself what `drop_words` does at a rate of 1, also where it reads
    what it has written.
    """
    name = next(
        name
        for name in ("decoder.embedding.W", "embedding.W")
        if name in params
    )
    table = np.repeat(params[name][[unknown]], len(params[name]), axis=0)
    table[START] = params[name][START]
    return params | {name: table}


def parts_of(result: VAEResult) -> dict[str, float]:
    """Return the true bound of some sentences, and its two parts."""
    return {
        "elbo": result.elbo,
        "reconstruction": float(result.reconstruction),
        "kl": float(result.kl.mean()),
    }
