"""Beam search over a batch of sources beside a loop in torch.

``python -m benchmarks.seq2seq.bench_beam_search`` takes about two minutes and
writes ``results/seq2seq/beam_search.bench.json``.

Ours is ``batched_beam_search`` on a ``Translator``, as users call it. The loop
in torch does the same work by the same rules, from the encoder to the sorted
hypotheses: prefixes that end leave the beam, sources that are done leave the
batch, and the search of each stops when that is safe. It looks at a source
once for all of its prefixes, where ours carries a copy for each. *Clear* is
``beam_search``, one source after another. Before any timing the hypotheses of
all are compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from benchmarks import recording
from benchmarks.recording import Recording
from benchmarks.timing import (
    THREADS,
    compare,
    in_own_process,
    interleave,
    table,
)
from nlp_dawn.seq2seq.attention import Translator, init_encoder_decoder
from nlp_dawn.seq2seq.beam_search import (
    Hypothesis,
    batched_beam_search,
)
from nlp_dawn.typing import Array

NAME = "seq2seq/beam_search.bench"
COMMAND = "python -m benchmarks.seq2seq.bench_beam_search"
SEED = 0
ROUNDS = 11
REST = 0.05  # seconds: longer than OpenBLAS's and OpenMP's threads linger
WORDS, HIDDEN, SOURCES, SOURCE_STEPS = 8000, 256, 32, 15
BEAM, STEPS, ALPHA = 5, 25, 0.6
BOS, EOS = 1, 2
#: What is timed: the bias of the end mark. In the first work nothing ends, and
#: all sources take all steps; in the second most of them end on the way.
WORKS = {"25 steps": -1e9, "sentences end": 20.0}
LARGEST_GAP = 1e-4


@dataclass(frozen=True)
class Problem:
    """The model and the sources, the same for all contenders."""

    params: Mapping[str, Array]
    sources: Array
    beam: int
    steps: int

    @classmethod
    def draw(
        cls,
        end: float,
        *,
        words: int = WORDS,
        hidden: int = HIDDEN,
        sources: int = SOURCES,
        beam: int = BEAM,
        steps: int = STEPS,
    ) -> "Problem":
        """Draw a model that is as sure of its words as a trained one."""
        rng = np.random.default_rng(SEED)
        params = init_encoder_decoder(
            words, words, embedding=hidden, hidden=hidden, rng=rng
        )
        for name, scale in {
            "source.W": 20.0,
            "target.W": 20.0,
            "output.W": 40.0,
        }.items():
            params[name] *= scale
        params["output.b"][EOS] = end
        ids = rng.integers(3, words, (sources, SOURCE_STEPS))
        return cls(params, ids, beam, steps)


class Contender(Protocol):
    """One who searches."""

    def search(self) -> list[Hypothesis]:
        """Return the best hypothesis of every source."""


class Library:
    """The contender that users call."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._model = Translator(dict(problem.params), bos=BOS, eos=EOS)

    def search(self) -> list[Hypothesis]:
        """See `Contender`."""
        found = batched_beam_search(
            self._model,
            self._problem.sources,
            beam=self._problem.beam,
            max_length=self._problem.steps,
            alpha=ALPHA,
        )
        return [hypotheses[0] for hypotheses in found]


class Torch:
    """The contender that is written in torch.

    Parameters
    ----------
    problem : Problem
        What is searched.
    flattened : bool
        Find the candidates as the libraries for translation and generation
        do: add the scores of the prefixes to all log-probabilities, lay those
        of a source side by side, take the best 2B. Otherwise the best B + 1
        words of every prefix are taken first, which is less work.
    """

    def __init__(self, problem: Problem, *, flattened: bool) -> None:
        self._problem = problem
        self._flattened = flattened
        p = {
            name: torch.tensor(weight)
            for name, weight in problem.params.items()
        }
        self._p = p
        size, hidden = p["target.W"].shape[1], len(p["output.W"])
        self._encoder = nn.GRU(
            size, hidden // 2, batch_first=True, bidirectional=True
        )
        self._cell = nn.GRUCell(size + hidden, hidden)
        with torch.no_grad():
            for side, end in (("forward", "l0"), ("reverse", "l0_reverse")):
                _set(self._encoder, f"_{end}", p, f"encoder.{side}")
            joint = p | {
                "decoder.W": torch.cat([p["decoder.W"], p["attention.C"]])
            }
            _set(self._cell, "", joint, "decoder")
        self._output = nn.Linear(*p["output.W"].shape)
        with torch.no_grad():
            self._output.weight.copy_(p["output.W"].T)
            self._output.bias.copy_(p["output.b"])
        self._sources = torch.tensor(problem.sources)

    def _start(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        p = self._p
        memory, ends = self._encoder(p["source.W"][self._sources])
        summary = torch.cat([ends[0], ends[1]], dim=1)
        h = torch.tanh(summary @ p["bridge.W"] + p["bridge.b"])
        return h, memory, memory @ p["attention.W"]

    def _candidates(
        self, log_p: torch.Tensor, total: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return each source's best sums, their prefixes and their words."""
        k, (n, width) = self._problem.beam, total.shape
        if self._flattened:
            joint = log_p.view(n, width, -1) + total[:, :, None].float()
            sums, order = joint.view(n, -1).topk(2 * k, dim=1)
            n_words = log_p.shape[1]
            return sums.double(), order // n_words, order % n_words
        best, words = log_p.topk(k + 1, dim=1)
        sums = total[:, :, None] + best.view(n, width, k + 1)
        sums, order = sums.view(n, -1).sort(dim=1, descending=True, stable=True)
        words = words.view(n, -1).gather(1, order)
        return sums, order // (k + 1), words

    @torch.inference_mode()
    def search(self) -> list[Hypothesis]:
        """See `Contender`."""
        k, n_steps = self._problem.beam, self._problem.steps
        h, memory, keys = self._start()  # (N, H), (N, S, M), (N, S, H)
        finished: list[Hypothesis | None] = [None] * len(h)
        number = torch.arange(len(h))  # of the sources in the batch
        tokens = torch.full((len(h), 1), BOS)
        total = torch.zeros(len(h), 1, dtype=torch.float64)
        written = torch.zeros(len(h), 1, 0, dtype=torch.long)
        for length in range(1, n_steps + 1):
            n, width = tokens.shape
            # One step of the model, for n · width prefixes.
            states = h.view(n, width, -1)
            weights = torch.softmax(states @ keys.mT, dim=-1)
            context = (weights @ memory).view(n * width, -1)
            y = self._p["target.W"][tokens.view(-1)]
            h = self._cell(torch.cat([y, context], dim=1), h)
            log_p = torch.log_softmax(self._output(h), dim=-1)
            sums, parent, words = self._candidates(log_p, total)
            ends = words == EOS
            penalty = length**ALPHA
            for i, place in ends[:, :k].nonzero().tolist():
                score = float(sums[i, place]) / penalty
                source, former = int(number[i]), finished[int(number[i])]
                if former is None or score > former.score:
                    prefix = written[i, parent[i, place]].tolist()
                    finished[source] = Hypothesis(
                        (*prefix, EOS), float(sums[i, place]), score, True
                    )
            # The next beam: the first k that do not end.
            live = ends.long().sort(dim=1, stable=True).indices[:, :k]
            total, tokens = sums.gather(1, live), words.gather(1, live)
            parent = parent.gather(1, live)
            h = h.view(n, width, -1).gather(
                1, parent[:, :, None].expand(-1, -1, h.shape[1])
            )
            written = torch.cat(
                [
                    written.gather(
                        1, parent[:, :, None].expand(-1, -1, length - 1)
                    ),
                    tokens[:, :, None],
                ],
                dim=2,
            )
            # What cannot be beaten any more is done.
            bound = (total[:, 0] / n_steps**ALPHA).tolist()
            hope = [
                i
                for i, source in enumerate(number.tolist())
                if (one := finished[source]) is None or bound[i] > one.score
            ]
            if len(hope) < n:
                if not hope:
                    break
                number, total, tokens = number[hope], total[hope], tokens[hope]
                h, written = h[hope], written[hope]
                memory, keys = memory[hope], keys[hope]
            h = h.reshape(-1, h.shape[2])
        for i, source in enumerate(number.tolist()):
            if finished[source] is None:
                s = float(total[i, 0])
                finished[source] = Hypothesis(
                    tuple(written[i, 0].tolist()), s, s / n_steps**ALPHA, False
                )
        return [one for one in finished if one is not None]


def _set(
    layer: nn.Module, end: str, p: Mapping[str, torch.Tensor], prefix: str
) -> None:
    """Give a layer of torch the weights of our recurrent layer."""
    layer.get_parameter(f"weight_ih{end}").copy_(p[f"{prefix}.W"].T)
    layer.get_parameter(f"weight_hh{end}").copy_(p[f"{prefix}.U"].T)
    layer.get_parameter(f"bias_ih{end}").copy_(p[f"{prefix}.b"])
    bias = layer.get_parameter(f"bias_hh{end}")
    bias.zero_()
    bias[-len(p[f"{prefix}.c"]) :] = p[f"{prefix}.c"]


def contenders(problem: Problem) -> dict[str, Contender]:
    """Return who searches."""
    return {
        "ours": Library(problem),
        "torch": Torch(problem, flattened=True),
        "torch, row by row": Torch(problem, flattened=False),
    }


def compared(found: Mapping[str, list[Hypothesis]]) -> dict[str, Any]:
    """Compare the hypotheses, and raise if they differ.

    Returns
    -------
    dict
        ``sources``, ``tokens`` (of all best hypotheses), ``finished`` (how
        many of them end) and ``gap`` (the largest relative difference of two
        log-probabilities).

    Raises
    ------
    AssertionError
        If a hypothesis differs by a word, or by more than float32 explains.
    """
    gap = 0.0
    peers = [found[name] for name in found if name != "ours"]
    for peer in peers:
        for one, other in zip(found["ours"], peer, strict=True):
            if (one.tokens, one.finished) != (other.tokens, other.finished):
                raise AssertionError(f"hypotheses differ: {one}, {other}")
            apart = abs(one.log_probability - other.log_probability)
            gap = max(gap, apart / abs(other.log_probability))
    if not gap < LARGEST_GAP:
        raise AssertionError(f"log-probabilities differ by {gap}")
    return {
        "sources": len(found["ours"]),
        "tokens": sum(len(one.tokens) for one in found["ours"]),
        "finished": sum(one.finished for one in found["ours"]),
        "gap": gap,
    }


def measure(
    works: Mapping[str, float], rounds: int, rest: float
) -> dict[str, Any]:
    """Check and time every work, with the threads that this process has.

    Returns
    -------
    dict
        ``pools`` (the libraries' threads), ``works`` (name to one row of
        ``timing.compare`` per peer) and ``found`` (name to `compared`).
    """
    figures: dict[str, Any] = {"works": {}, "found": {}}
    rng = np.random.default_rng(SEED)
    for work, end in tqdm(works.items(), leave=False):
        searching = contenders(Problem.draw(end))
        figures["found"][work] = compared(
            {name: one.search() for name, one in searching.items()}
        )
        seconds = interleave(
            {name: one.search for name, one in searching.items()},
            rounds=rounds,
            rng=rng,
            rest=rest,
        )
        figures["works"][work] = [
            compare(seconds, "ours", peer) for peer in seconds if peer != "ours"
        ]
    return figures | {"pools": recording.threads()}


def main() -> None:
    """Measure, write the result and show it."""
    account = Recording(
        NAME,
        title="Time for a beam search over a batch ÷ that of a loop in torch",
        command=COMMAND,
        seed=SEED,
        settings={
            "beam": BEAM,
            "steps": STEPS,
            "alpha": ALPHA,
            "vocabulary": WORDS,
            "hidden": HIDDEN,
            "sources": SOURCES,
            "source_steps": SOURCE_STEPS,
            "works": WORKS,
            "dtype": "float32",
            "rounds": ROUNDS,
            "rest_seconds": REST,
            "threads": list(THREADS),
        },
        packages=["torch"],
    )
    figures = {
        str(count): in_own_process(measure, WORKS, ROUNDS, REST, threads=count)
        for count in THREADS
    }
    account.write(figures)
    print(table(figures))


if __name__ == "__main__":
    main()
