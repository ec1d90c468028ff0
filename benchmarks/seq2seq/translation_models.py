"""The same translator twice: trained by the library and by torch.

Both contenders start from the same weights, read the same batches in the same
order, clip in the same way and take Adam's steps by the same schedule. Each
trains one epoch at a time, from the checkpoint of the epoch before to one of
its own, so that they can take turns in one process and bear an interruption.

torch's twin is made of torch's own parts, as its users would make it: one
``nn.GRU`` over packed sentences reads in both directions, an ``nn.GRUCell``
writes. torch adds two biases in every gate where one would do, and trains both:
twice as fast, that is. The second one is held at zero here (all of it but the
candidate's part, which is no duplicate).
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
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.seq2seq.translation_pairs import PAD, Part
from nlp_dawn.foundations.classification import linear_cross_entropy
from nlp_dawn.foundations.optimization import Adam, train
from nlp_dawn.recurrent.gates import gru_from_torch, gru_to_torch
from nlp_dawn.recurrent.gradient_clipping import clip_by_global_norm
from nlp_dawn.seq2seq.attention import encoder_decoder, init_encoder_decoder
from nlp_dawn.typing import Array, Backward

Params = dict[str, Array]
Batch = tuple[Array, Array]
GRU = ("W", "U", "b", "c")

#: Held-out pairs are read so many at a time.
ROWS = 128


@dataclass(frozen=True)
class Plan:
    """What to train, and how.

    Attributes
    ----------
    attention : {"bilinear", None}
        How the decoder looks at the source; None: it has the summary alone.
    source_size, target_size : int
        English subwords and Chinese characters.
    embedding, hidden : int
        D and H.
    batch_size : int
        Pairs per step.
    epochs : int
        How often to read all pairs, at most.
    learning_rate : float
        Of Adam, at the first step; it falls linearly to zero.
    clip : float
        The longest gradient.
    seed : int
        Draws the weights and deals the batches out.
    """

    attention: str | None
    source_size: int
    target_size: int
    embedding: int
    hidden: int
    batch_size: int
    epochs: int
    learning_rate: float
    clip: float
    seed: int

    def initial(self) -> Params:
        """Draw the weights that both contenders start from."""
        kind: Any = self.attention
        return init_encoder_decoder(
            self.source_size,
            self.target_size,
            embedding=self.embedding,
            hidden=self.hidden,
            attention=kind,
            rng=np.random.default_rng(self.seed),
        )

    def batches(self, part: Part, epoch: int) -> Iterator[Batch]:
        """Return the batches of one epoch: the same for both."""
        rng = np.random.default_rng([self.seed, epoch])
        return part.batches(self.batch_size, rng)

    def schedule(self, part: Part) -> Callable[[int], float]:
        """Return the factor of the learning rate at every step."""
        total = self.epochs * part.n_batches(self.batch_size)
        return lambda step: 1 - step / total


class Contender(Protocol):
    """What trains one epoch at a time."""

    def train_epoch(self, epoch: int, before: Path, after: Path) -> list[float]:
        """Go on from the checkpoint `before`; write `after`; return losses."""

    def weights(self) -> Params:
        """Return the weights as the library lays them out."""

    def restore(self, weights: Params) -> None:
        """Take such weights back."""

    def loss(self, part: Part) -> float:
        """Return the mean surprise, in nats, at the target tokens of a part."""


class Library:
    """The contender that is trained by nlp_dawn."""

    def __init__(
        self,
        plan: Plan,
        part: Part,
        progress: Callable[..., Any] | None = None,
    ) -> None:
        self.plan = plan
        self.params = plan.initial()
        self._part, self._progress = part, progress

    def train_epoch(self, epoch: int, before: Path, after: Path) -> list[float]:
        """See `Contender`."""
        if before.exists():
            after.write_bytes(before.read_bytes())
        history = train(
            _objective,
            self.params,
            lambda rng: self.plan.batches(self._part, epoch),
            epochs=epoch + 1,
            learning_rate=self.plan.learning_rate,
            rng=np.random.default_rng(self.plan.seed),
            optimizer=Adam(),
            schedule=self.plan.schedule(self._part),
            clip=partial(clip_by_global_norm, gamma=self.plan.clip),
            checkpoint=after,
            progress=self._bar if self._progress else None,
        )
        return history.losses[
            epoch * self._part.n_batches(self.plan.batch_size) :
        ]

    def _bar(self, batches: Iterable[Batch], **about: Any) -> Any:
        assert self._progress is not None
        about["total"] = self._part.n_batches(self.plan.batch_size)
        about["desc"] = f"epoch {about['desc'].split()[1].split('/')[0]}"
        return self._progress(batches, **about)

    def weights(self) -> Params:
        """See `Contender`."""
        return {name: value.copy() for name, value in self.params.items()}

    def restore(self, weights: Params) -> None:
        """See `Contender`."""
        for name, value in weights.items():
            self.params[name][...] = value

    def loss(self, part: Part) -> float:
        """See `Contender`."""
        total = 0.0
        for sources, targets in held_out(part):
            loss, _ = _objective(self.params, (sources, targets), None)
            total += float(loss) * int((targets[:, 1:] != PAD).sum())
        return total / part.tokens


class Nudged(Library):
    """The library again, from weights one rounding error away."""

    def __init__(
        self,
        plan: Plan,
        part: Part,
        progress: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(plan, part, progress)
        infinity = np.float32(np.inf)
        for value in self.params.values():
            # Biases are zero, and the next number to that is no change at all.
            value[...] = np.where(value, np.nextafter(value, infinity), value)


def _objective(params: Params, batch: Batch, step: Any) -> tuple[Any, Backward]:
    return encoder_decoder(params, *batch, pad=PAD, output=linear_cross_entropy)


def held_out(part: Part) -> Iterator[Batch]:
    """Return a part's pairs, always in the same batches."""
    return part.batches(ROWS, np.random.default_rng(0))


class Torch:
    """The contender that is trained by torch."""

    def __init__(
        self,
        plan: Plan,
        part: Part,
        progress: Callable[..., Any] | None = None,
    ) -> None:
        self.plan = plan
        self.network = Network(plan.initial())
        self._optimizer = torch.optim.Adam(self.network.parameters())
        self._part, self._progress = part, progress

    def train_epoch(self, epoch: int, before: Path, after: Path) -> list[float]:
        """See `Contender`."""
        if before.exists():
            saved = torch.load(before, weights_only=True)
            self.network.load_state_dict(saved["network"])
            self._optimizer.load_state_dict(saved["optimizer"])
        losses: list[float] = []
        number = epoch * self._part.n_batches(self.plan.batch_size)
        schedule = self.plan.schedule(self._part)
        for sources, targets in self._epoch(epoch):
            loss = self.network(torch.tensor(sources), torch.tensor(targets))
            self._optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), self.plan.clip)
            for group in self._optimizer.param_groups:
                group["lr"] = self.plan.learning_rate * schedule(number)
            self._optimizer.step()
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

    def _epoch(self, epoch: int) -> Iterable[Batch]:
        batches = self.plan.batches(self._part, epoch)
        if self._progress is None:
            return batches
        bar: Iterable[Batch] = self._progress(
            batches,
            desc=f"epoch {epoch + 1}",
            total=self._part.n_batches(self.plan.batch_size),
        )
        return bar

    def weights(self) -> Params:
        """See `Contender`."""
        return self.network.weights()

    def restore(self, weights: Params) -> None:
        """See `Contender`."""
        self.network.take(weights)

    @torch.no_grad()
    def loss(self, part: Part) -> float:
        """See `Contender`."""
        total = 0.0
        for sources, targets in held_out(part):
            loss = self.network(torch.tensor(sources), torch.tensor(targets))
            total += loss.item() * int((targets[:, 1:] != PAD).sum())
        return total / part.tokens


class Network(nn.Module):
    """Torch's translator with the library's parameters."""

    def __init__(self, params: Params) -> None:
        super().__init__()
        source_size, D = params["source.W"].shape
        target_size, _ = params["target.W"].shape
        half = len(params["encoder.forward.U"])
        H, M = len(params["decoder.U"]), 2 * half
        self.source = nn.Embedding(source_size, D)
        self.target = nn.Embedding(target_size, D)
        self.encoder = nn.GRU(D, half, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(M, H)
        self.decoder = nn.GRUCell(D + M, H)
        self.output = nn.Linear(H, target_size)
        self.keys = (
            nn.Linear(M, H, bias=False) if "attention.W" in params else None
        )
        for name, parameter in self.named_parameters():
            if "bias_hh" in name:
                # All but the candidate's part doubles the other bias.
                parameter.register_hook(_candidate_only)  # type: ignore[no-untyped-call]
        self.take(params)

    def take(self, params: Params) -> None:
        """Take the library's parameters over."""
        gru = {
            name: gru_to_torch(
                *(params[f"encoder.{name}.{key}"] for key in GRU)
            )
            for name in ("forward", "reverse")
        }
        context = "summary.C" if self.keys is None else "attention.C"
        decoder = gru_to_torch(
            np.concatenate([params["decoder.W"], params[context]]),
            *(params[f"decoder.{key}"] for key in GRU[1:]),
        )
        values = {
            "source.weight": params["source.W"],
            "target.weight": params["target.W"],
            "bridge.weight": params["bridge.W"].T,
            "bridge.bias": params["bridge.b"],
            "output.weight": params["output.W"].T,
            "output.bias": params["output.b"],
            **{f"encoder.{k}_l0": v for k, v in gru["forward"].items()},
            **{f"encoder.{k}_l0_reverse": v for k, v in gru["reverse"].items()},
            **{f"decoder.{k}": v for k, v in decoder.items()},
        }
        if self.keys is not None:
            values["keys.weight"] = params["attention.W"].T
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                parameter.copy_(
                    torch.tensor(np.ascontiguousarray(values[name]))
                )

    def weights(self) -> Params:
        """Return the parameters as the library lays them out."""
        own = {
            name: parameter.detach().numpy().copy()
            for name, parameter in self.named_parameters()
        }
        parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        params = {
            "source.W": own["source.weight"],
            "target.W": own["target.weight"],
            "bridge.W": own["bridge.weight"].T.copy(),
            "bridge.b": own["bridge.bias"],
            "output.W": own["output.weight"].T.copy(),
            "output.b": own["output.bias"],
        }
        for name, end in (("forward", "_l0"), ("reverse", "_l0_reverse")):
            values = gru_from_torch(*(own[f"encoder.{p}{end}"] for p in parts))
            for key, value in zip(GRU, values, strict=True):
                params[f"encoder.{name}.{key}"] = value
        W, *rest = gru_from_torch(*(own[f"decoder.{p}"] for p in parts))
        D = params["target.W"].shape[1]
        context = "summary.C" if self.keys is None else "attention.C"
        params |= {"decoder.W": W[:D].copy(), context: W[D:].copy()}
        for key, value in zip(GRU[1:], rest, strict=True):
            params[f"decoder.{key}"] = value
        if self.keys is not None:
            params["attention.W"] = own["keys.weight"].T.copy()
        return params

    def forward(self, sources: Any, targets: Any) -> Any:
        """Return the mean loss, in nats per target token."""
        mask = sources != PAD  # (B, S)
        packed = pack_padded_sequence(
            self.source(sources),
            mask.sum(1),
            batch_first=True,
            enforce_sorted=False,
        )
        read, last = self.encoder(packed)
        memory, _ = pad_packed_sequence(
            read, batch_first=True, total_length=sources.shape[1]
        )  # (B, S, M)
        context = torch.cat([last[0], last[1]], 1)  # the summary (B, M)
        state = torch.tanh(self.bridge(context))
        words = self.target(targets[:, :-1])  # (B, T, D)
        if self.keys is not None:
            keys = self.keys(memory)  # (B, S, H)
            shut = torch.zeros(mask.shape).masked_fill(~mask, -math.inf)
        states = []
        for word in words.unbind(1):
            if self.keys is not None:
                scores = (keys @ state[:, :, None])[:, :, 0] + shut
                shares = torch.softmax(scores, 1)  # (B, S)
                context = (shares[:, None] @ memory)[:, 0]
            state = self.decoder(torch.cat([word, context], 1), state)
            states.append(state)
        logits = self.output(torch.stack(states, 1))  # (B, T, V)
        return nn.functional.cross_entropy(
            logits.flatten(0, 1), targets[:, 1:].flatten(), ignore_index=PAD
        )


def _candidate_only(gradient: torch.Tensor) -> torch.Tensor:
    kept = torch.zeros_like(gradient)
    third = len(gradient) // 3
    kept[2 * third :] = gradient[2 * third :]
    return kept
