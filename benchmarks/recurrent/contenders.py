"""The same language models twice: trained by the library and by torch.

Both contenders start from the same weights, read the same batches in the same
order, clip in the same way and follow the same schedule. Each trains one epoch
at a time, from the checkpoint of the epoch before to one of its own, so that
they can take turns in one process and bear an interruption.

torch adds two biases in every gate where one would do, and trains both: twice
as fast, that is. The second one is held at zero here (for a GRU all of it but
the candidate's part, which is no duplicate).
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from nlp_dawn.foundations.classification import (
    linear,
    linear_cross_entropy,
    logsumexp,
)
from nlp_dawn.foundations.optimization import (
    SGD,
    Adam,
    batches_of,
    train,
)
from nlp_dawn.recurrent import gates
from nlp_dawn.recurrent.gradient_clipping import clip_by_global_norm
from nlp_dawn.recurrent.language_models import (
    context_windows,
    init_nnlm,
    nnlm_loss,
    stream_batches,
)
from nlp_dawn.recurrent.recurrent_networks import (
    init_recurrent_language_model,
    recurrent_language_model,
    rnn,
)
from nlp_dawn.typing import Array, Backward

Params = dict[str, Array]
RecurrentLayer = Callable[..., tuple[tuple[Array, Any], Backward]]
Batches = Iterable[tuple[Array, ...]]
#: Our layer, its number of gates, and torch's. `lstm_fused` computes what
#: `lstm` does, faster.
LAYERS: dict[str, tuple[RecurrentLayer, int, Any]] = {
    "rnn": (rnn, 1, nn.RNN),
    "gru": (gates.gru_torch, 3, nn.GRU),
    "lstm": (gates.lstm_fused, 4, nn.LSTM),
}
NEURAL = ("nnlm", *LAYERS)


@dataclass(frozen=True)
class Plan:
    """What to train, and how.

    Attributes
    ----------
    model : {"nnlm", "rnn", "gru", "lstm"}
        Which network.
    vocabulary_size, embedding, hidden : int
        V, D and H.
    batch_size, n_steps : int
        A batch has B rows of T words; for the NNLM it has B·T windows.
    order : int
        n of the NNLM: it sees the n - 1 words before.
    epochs : int
        How often to read the text.
    optimizer : {"sgd", "adam"}
        What makes a step of a gradient.
    learning_rate : float
        At the first step; it falls linearly to zero.
    clip : float
        The longest gradient.
    seed : int
        Draws the weights, and the order of the NNLM's windows.
    """

    model: str
    vocabulary_size: int
    embedding: int
    hidden: int
    batch_size: int
    n_steps: int
    order: int
    epochs: int
    optimizer: str
    learning_rate: float
    clip: float
    seed: int

    def initial(self) -> Params:
        """Draw the weights that both contenders start from."""
        rng = np.random.default_rng([self.seed, NEURAL.index(self.model)])
        V, D, H = self.vocabulary_size, self.embedding, self.hidden
        if self.model == "nnlm":
            return init_nnlm(V, self.order, D, H, rng=rng)
        _, n_gates, _ = LAYERS[self.model]
        params = init_recurrent_language_model(V, D, H, gates=n_gates, rng=rng)
        if self.model == "lstm":
            params["rnn.b"] = gates.open_forget_gates(params["rnn.b"])
        if self.model == "gru":
            params["rnn.c"] = np.zeros(H, np.float32)
        return params

    def batches(self, text: Array, epoch: int) -> Batches:
        """Return the inputs and targets of one epoch: the same for both."""
        if self.model != "nnlm":
            return stream_batches(text, self.batch_size, self.n_steps)
        contexts, targets = context_windows(text, self.order, pad=0)
        deal = batches_of(
            contexts, targets, batch_size=self.batch_size * self.n_steps
        )
        return deal(np.random.default_rng([self.seed, epoch]))

    def steps(self, text: Array) -> int:
        """Return the number of batches of an epoch."""
        n = len(text) - 1
        if self.model == "nnlm":
            return math.ceil(n / (self.batch_size * self.n_steps))
        return math.ceil(n // self.batch_size / self.n_steps)

    def schedule(self, text: Array) -> Callable[[int], float]:
        """Return the factor of the learning rate at every step."""
        total = self.epochs * self.steps(text)
        return lambda step: 1 - step / total


#: The held-out text is read in so many rows, so many words at a time.
ROWS, WORDS = 16, 70


def asked(text: Array) -> Array:
    """Return the words of a held-out text that every model has to guess.

    The text is read in 16 rows of equal length, each from a fresh state; up
    to 15 words at the end fill no row.
    """
    return text[1 : 1 + (len(text) - 1) // ROWS * ROWS]


class Contender(Protocol):
    """What trains one epoch at a time."""

    def train_epoch(self, epoch: int, before: Path, after: Path) -> list[float]:
        """Go on from the checkpoint `before`; write `after`; return losses."""

    def losses(self, text: Array) -> Array:
        """Return the surprise, in nats, at every word of ``asked(text)``."""


class Library:
    """The contender that is trained by nlp_dawn."""

    def __init__(
        self,
        plan: Plan,
        text: Array,
        progress: Callable[..., Any] | None = None,
    ) -> None:
        self.plan = plan
        self.params = plan.initial()
        self._text, self._progress = text, progress

    def train_epoch(self, epoch: int, before: Path, after: Path) -> list[float]:
        """See `Contender`."""
        if before.exists():
            after.write_bytes(before.read_bytes())
        history = train(
            self._objective,
            self.params,
            lambda rng: self.plan.batches(self._text, epoch),
            epochs=epoch + 1,
            learning_rate=self.plan.learning_rate,
            rng=np.random.default_rng(self.plan.seed),
            optimizer={"sgd": SGD, "adam": Adam}[self.plan.optimizer](),
            schedule=self.plan.schedule(self._text),
            clip=partial(clip_by_global_norm, gamma=self.plan.clip),
            checkpoint=after,
            progress=self._bar if self._progress else None,
        )
        return history.losses[epoch * self.plan.steps(self._text) :]

    def _bar(self, batches: Batches, **about: Any) -> Any:
        assert self._progress is not None
        about["total"] = self.plan.steps(self._text)
        return self._progress(batches, **about)

    def _objective(
        self, params: Params, batch: tuple[Array, Array], step: Any
    ) -> tuple[Array, Backward]:
        inputs, targets = batch
        if self.plan.model == "nnlm":
            return nnlm_loss(
                params, inputs, targets, output=linear_cross_entropy
            )
        layer, _, _ = LAYERS[self.plan.model]
        (loss, step.carry), backward = recurrent_language_model(
            params,
            inputs,
            targets,
            step.carry,
            layer=layer,
            output=linear_cross_entropy,
        )
        return loss, backward

    def losses(self, text: Array) -> Array:
        """See `Contender`."""
        if self.plan.model == "nnlm":
            windows = held_out_windows(self.plan, text)
            return np.concatenate(
                [
                    nnlm_loss(self.params, c, t, output=_word_losses)[0]
                    for c, t in zip(*windows, strict=True)
                ]
            )
        layer, _, _ = LAYERS[self.plan.model]
        found: list[Array] = []
        state: Any = None
        for inputs, targets in stream_batches(text, ROWS, WORDS):
            (losses, state), _ = recurrent_language_model(
                self.params,
                inputs,
                targets,
                state,
                layer=layer,
                output=_word_losses,
            )
            found.append(losses)
        return np.concatenate(found, axis=1).ravel()


def _word_losses(
    h: Array, W: Array, b: Array, targets: Array, ignore_index: None = None
) -> tuple[Array, Backward]:
    """Score as the training does, but average over nothing."""
    logits, backward = linear(h, W, b)
    truth = np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    return logsumexp(logits) - truth, backward


def held_out_windows(
    plan: Plan, text: Array
) -> tuple[list[Array], list[Array]]:
    """Return the NNLM's windows for the words of ``asked(text)``, in parts."""
    contexts, targets = context_windows(text, plan.order, pad=0)
    n = len(asked(text))
    cuts = range(ROWS * WORDS, n, ROWS * WORDS)
    return np.split(contexts[:n], cuts), np.split(targets[:n], cuts)


class Torch:
    """The contender that is trained by torch."""

    def __init__(
        self,
        plan: Plan,
        text: Array,
        progress: Callable[..., Any] | None = None,
    ) -> None:
        self.plan = plan
        self.network = Network(plan.model, plan.initial())
        trained = [p for p in self.network.parameters() if p.requires_grad]
        if plan.optimizer == "sgd":
            self._optimizer: torch.optim.Optimizer = torch.optim.SGD(trained)
        else:
            self._optimizer = torch.optim.Adam(trained)
        self._text, self._progress = text, progress

    def train_epoch(self, epoch: int, before: Path, after: Path) -> list[float]:
        """See `Contender`."""
        if before.exists():
            saved = torch.load(before, weights_only=True)
            self.network.load_state_dict(saved["network"])
            self._optimizer.load_state_dict(saved["optimizer"])
        losses: list[float] = []
        state = None
        number = epoch * self.plan.steps(self._text)
        schedule = self.plan.schedule(self._text)
        for inputs, targets in self._epoch(epoch):
            loss, state = self.network(inputs, targets, state)
            self._optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), self.plan.clip)
            for group in self._optimizer.param_groups:
                group["lr"] = self.plan.learning_rate * schedule(number)
            self._optimizer.step()
            state = _detached(state)
            losses.append(loss.item())
            number += 1
        torch.save(
            {
                "network": self.network.state_dict(),
                "optimizer": self._optimizer.state_dict(),
            },
            after,
        )
        return losses

    def _epoch(self, epoch: int) -> Iterator[tuple[Any, Any]]:
        batches = self.plan.batches(self._text, epoch)
        if self._progress:
            batches = self._progress(
                batches,
                desc=f"epoch {epoch + 1}/{self.plan.epochs}",
                total=self.plan.steps(self._text),
            )
        for inputs, targets in batches:
            yield torch.tensor(inputs), torch.tensor(targets)

    @torch.no_grad()
    def losses(self, text: Array) -> Array:
        """See `Contender`."""
        found: list[Array] = []
        state: Any = None
        batches: Batches = stream_batches(text, ROWS, WORDS)
        if self.plan.model == "nnlm":
            batches = zip(*held_out_windows(self.plan, text), strict=True)
        for inputs, targets in batches:
            losses, state = self.network(
                torch.tensor(inputs), torch.tensor(targets), state, "none"
            )
            found.append(losses.numpy())
        axis = 0 if self.plan.model == "nnlm" else 1
        return np.concatenate(found, axis=axis).ravel()


class Network(nn.Module):
    """Torch's network with the library's parameters."""

    def __init__(self, model: str, params: Params) -> None:
        super().__init__()
        V, D = params["embedding.W"].shape
        H, _ = params["output.W"].shape
        self.embedding = nn.Embedding(V, D)
        self.output = nn.Linear(H, V)
        copies = [
            (self.embedding.weight, params["embedding.W"]),
            (self.output.weight, params["output.W"].T),
            (self.output.bias, params["output.b"]),
        ]
        if model == "nnlm":
            W = params["hidden.W"]
            self.hidden = nn.Linear(*W.shape)
            copies += [
                (self.hidden.weight, W.T),
                (self.hidden.bias, params["hidden.b"]),
            ]
        else:
            _, _, layer = LAYERS[model]
            self.rnn = layer(D, H, batch_first=True)
            second = np.zeros_like(params["rnn.b"])
            if model == "gru":
                second[2 * H :] = params["rnn.c"]
                # All but the candidate's part doubles the other bias.
                self.rnn.bias_hh_l0.register_hook(_candidate_only)
            else:
                self.rnn.bias_hh_l0.requires_grad_(False)
            copies += [
                (self.rnn.weight_ih_l0, params["rnn.W"].T),
                (self.rnn.weight_hh_l0, params["rnn.U"].T),
                (self.rnn.bias_ih_l0, params["rnn.b"]),
                (self.rnn.bias_hh_l0, second),
            ]
        with torch.no_grad():
            for parameter, value in copies:
                parameter.copy_(torch.tensor(value))

    def forward(
        self, inputs: Any, targets: Any, state: Any, reduction: str = "mean"
    ) -> tuple[Any, Any]:
        """Return the loss in nats, and the state after the last word."""
        x = self.embedding(inputs)
        if hasattr(self, "rnn"):
            h, state = self.rnn(x, state)
        else:
            h = torch.tanh(self.hidden(x.flatten(1)))
        logits = self.output(h)
        losses = nn.functional.cross_entropy(
            logits.flatten(0, -2), targets.flatten(), reduction=reduction
        )
        return losses.view_as(targets) if losses.ndim else losses, state


def _candidate_only(gradient: torch.Tensor) -> torch.Tensor:
    kept = torch.zeros_like(gradient)
    third = len(gradient) // 3
    kept[2 * third :] = gradient[2 * third :]
    return kept


def _detached(state: Any) -> Any:
    if isinstance(state, tuple):
        return tuple(part.detach() for part in state)
    return None if state is None else state.detach()
