"""English into Chinese: a translator trained by us, by torch, and blindfolded.

About 19,000 sentence pairs of Tatoeba are learned from; pairs that share a
sentence lie in the same part (`translation_pairs`). An encoder of GRUs that
reads in both directions and a GRU that writes, with bilinear attention, are
trained by nlp_dawn and by a torch twin, from the same weights in the same order
(`translation_models`); nlp_dawn also trains the same translator without
attention, and once more with attention from weights that were nudged in their
last bit, which shows how far rounding alone leads. The test part is then
translated, greedily and with a beam, and held against what people wrote
(`translation_scores`).

Fixed before the first run: the validation loss is taken after every epoch; the
weights of the best epoch are kept; training ends when two epochs in a row have
not been better than the best one, or after eight. The learning rate and the
number of merges were chosen by the validation loss after two epochs, the length
penalty by BLEU on the validation part.

``python -m benchmarks.seq2seq.run_translation`` takes about half an hour on two
cores; the result is ``seq2seq/attention.translation``. It may be interrupted at
any time: started again, it goes on from the epochs that were finished, and
finds the same numbers. ``--quick`` makes the same run on a small part of the
pairs, in a minute, and writes nothing.
"""

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.recording import RESULTS, Recording, threads
from benchmarks.running import folder_of, parser_of
from benchmarks.seq2seq import translation_pairs, translation_scores
from benchmarks.seq2seq.translation_models import (
    Contender,
    Library,
    Nudged,
    Params,
    Plan,
    Torch,
)
from benchmarks.seq2seq.translation_pairs import Pairs

NAME = "seq2seq/attention.translation"
MODULE = "benchmarks.seq2seq.run_translation"
ROOT = Path(__file__).resolve().parents[2]
#: Who trains which translator, and in which order they take turns; the
#: longest first, so that the two processes end together.
JOBS: dict[str, tuple[str, ...]] = {
    "attention": ("library", "torch"),
    "plain": ("library",),
    "nudged": ("nudged",),
}
#: What every translator is called in the result.
SYSTEMS = {
    "attention": ("attention", "library"),
    "torch": ("attention", "torch"),
    "nudged": ("nudged", "nudged"),
    "plain": ("plain", "library"),
}
CONTENDERS: dict[str, type[Library] | type[Torch]] = {
    "library": Library,
    "torch": Torch,
    "nudged": Nudged,
}
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


@dataclass(frozen=True)
class Settings:
    """All choices of a run; the tuned ones by the validation part alone."""

    shares: tuple[float, float, float] = (0.85, 0.05, 0.10)
    limit: int | None = None
    merges: int = 4000
    embedding: int = 128
    hidden: int = 256
    batch_size: int = 64
    epochs: int = 8  # at most
    patience: int = 2
    learning_rate: float = 0.004
    clip: float = 1.0
    beam: int = 5
    alphas: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    max_length: int = 60
    resamples: int = 1000
    seed: int = 0

    def pairs(self) -> Pairs:
        """Read and split the sentence pairs."""
        return translation_pairs.load(
            shares=self.shares,
            merges=self.merges,
            limit=self.limit,
            seed=self.seed,
        )

    def plan(self, model: str, pairs: Pairs) -> Plan:
        """Return how one translator is trained."""
        own = {
            name: getattr(self, name)
            for name in (f.name for f in dataclasses.fields(Plan))
            if hasattr(self, name)
        }
        return Plan(
            attention=None if model == "plain" else "bilinear",
            source_size=pairs.source_size,
            target_size=pairs.target_size,
            **own,
        )

    def folder(self, root: Path) -> Path:
        """Return where a run with these choices keeps what is finished."""
        return folder_of("translation", dataclasses.asdict(self), root)


FULL = Settings()
QUICK = Settings(
    shares=(0.8, 0.1, 0.1),
    limit=1_000,
    merges=200,
    embedding=24,
    hidden=48,
    batch_size=16,
    epochs=2,
    learning_rate=0.01,
    alphas=(0.5, 1.0),
    max_length=20,
    resamples=100,
)


# --- one translator ----------------------------------------------------------


def best_epoch(epochs: Sequence[dict[str, Any]]) -> int:
    """Return the epoch, from 0, with the lowest validation loss; the first."""
    return min(range(len(epochs)), key=lambda e: epochs[e]["validation"])


def is_done(epochs: Sequence[dict[str, Any]], settings: Settings) -> bool:
    """Tell whether training ends here, by the rule at the top of the file."""
    if len(epochs) >= settings.epochs:
        return True
    waited = len(epochs) - 1 - best_epoch(epochs) if epochs else 0
    return waited >= settings.patience


def work(
    model: str,
    settings: Settings,
    pairs: Pairs,
    folder: Path,
    *,
    progress: Callable[..., Any] | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Train one translator with its contenders, or what is left of that.

    Returns
    -------
    dict
        By contender: for every epoch the seconds, the losses of all steps
        and the validation loss, and in the end the losses of the best epoch.
    """
    folder.mkdir(parents=True, exist_ok=True)
    account = folder / f"{model}.json"
    job: dict[str, Any] = {name: {"epochs": []} for name in JOBS[model]}
    if account.exists():
        job = json.loads(account.read_text(encoding="utf-8"))
    plan = settings.plan(model, pairs)
    contenders: dict[str, Contender] = {
        name: CONTENDERS[name](plan, pairs.parts["train"], progress)
        for name in JOBS[model]
    }
    for epoch in range(plan.epochs):
        for name, contender in contenders.items():
            epochs = job[name]["epochs"]
            if len(epochs) > epoch or is_done(epochs, settings):
                continue
            before = folder / f"{model}.{name}.{epoch}.npz"
            after = folder / f"{model}.{name}.{epoch + 1}.npz"
            after.unlink(missing_ok=True)  # of a run that broke off here
            start, cpu_start = time.perf_counter(), time.process_time()
            losses = contender.train_epoch(epoch, before, after)
            seconds = time.perf_counter() - start
            # With one thread, what the epoch takes where nothing else runs.
            cpu_seconds = time.process_time() - cpu_start
            validation = contender.loss(pairs.parts["validation"])
            epochs.append(
                {
                    "seconds": seconds,
                    "cpu_seconds": cpu_seconds,
                    "losses": losses,
                    "validation": validation,
                }
            )
            if best_epoch(epochs) == epoch:
                keep(folder / f"{model}.{name}.best.npz", contender.weights())
            job["pools"] = threads()
            job["torch_threads"] = torch.get_num_threads()
            replace(account, job)  # from here on, the epoch is finished
            before.unlink(missing_ok=True)
            say(
                f"{model:>9} {name:>7} epoch {epoch + 1:>2}: "
                f"{seconds:5.1f} s ({cpu_seconds:5.1f} of its core), "
                f"training {np.mean(losses):.3f}, "
                f"validation {validation:.3f} nats"
            )
    for name, contender in contenders.items():
        if "loss" not in job[name]:
            contender.restore(kept(folder / f"{model}.{name}.best.npz"))
            job[name]["loss"] = {
                part: contender.loss(pairs.parts[part])
                for part in ("validation", "test")
            }
            job[name]["parameters"] = sum(
                array.size for array in plan.initial().values()
            )
            replace(account, job)
    return job


def keep(path: Path, weights: Params) -> None:
    """Write weights all at once or not at all."""
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(file, **weights)  # type: ignore[arg-type]
    unfinished.replace(path)


def kept(path: Path) -> Params:
    """Read weights that `keep` has written."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def replace(path: Path, value: Any) -> None:
    """Write JSON all at once or not at all."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(value), encoding="utf-8")
    unfinished.replace(path)


# --- what came of it ---------------------------------------------------------


def training(jobs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return how all translators were trained, and how the twins compare."""
    rows = {}
    for system, (model, name) in SYSTEMS.items():
        side = jobs[model][name]
        epochs = side["epochs"]
        rows[system] = {
            "parameters": side["parameters"],
            "epochs": len(epochs),
            "best_epoch": best_epoch(epochs) + 1,
            "seconds": sum(e["seconds"] for e in epochs),
            "cpu_seconds": sum(e["cpu_seconds"] for e in epochs),
            "train_curve": [float(np.mean(e["losses"])) for e in epochs],
            "validation_curve": [e["validation"] for e in epochs],
            "loss": side["loss"],
            "perplexity": {
                part: float(np.exp(loss)) for part, loss in side["loss"].items()
            },
        }
    ours, theirs, nudged = (
        jobs[model][name]["epochs"]
        for model, name in (
            SYSTEMS[system] for system in ("attention", "torch", "nudged")
        )
    )
    both = list(zip(ours, theirs, strict=False))
    ratios = [a["seconds"] / b["seconds"] for a, b in both]
    cpu_ratios = [a["cpu_seconds"] / b["cpu_seconds"] for a, b in both]
    return {
        "systems": rows,
        "ratio": float(np.median(ratios)),
        "ratios": ratios,
        "cpu_ratio": float(np.median(cpu_ratios)),
        "loss_difference": loss_difference(ours, theirs),
        "nudged_loss_difference": loss_difference(ours, nudged),
        "pools": jobs["attention"]["pools"],
        "torch_threads": jobs["attention"]["torch_threads"],
    }


def loss_difference(
    ours: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]
) -> dict[str, float]:
    """Return by which shares the losses of the same steps differ."""
    a, b = (
        np.concatenate([epoch["losses"] for epoch in epochs])
        for epochs in zip(*zip(ours, others, strict=False), strict=True)
    )
    apart = np.abs(a / b - 1)
    return {
        "first_100_steps": float(apart[:100].max()),
        "median": float(np.median(apart)),
        "largest": float(apart.max()),
    }


def figures(
    settings: Settings,
    pairs: Pairs,
    jobs: dict[str, dict[str, Any]],
    folder: Path,
    *,
    progress: Callable[..., Any] | None = None,
) -> dict[str, Any]:
    """Return what the run found; translates what is not translated yet."""
    translators = {
        system: kept(folder / f"{model}.{name}.best.npz")
        for system, (model, name) in SYSTEMS.items()
    }
    translations = translation_scores.translate(
        translators,
        pairs,
        folder,
        beam=settings.beam,
        alphas=settings.alphas,
        max_length=settings.max_length,
        progress=progress,
    )
    return {
        "texts": translation_pairs.account(pairs),
        "source_size": pairs.source_size,
        "target_size": pairs.target_size,
        "training": training(jobs),
        **translation_scores.scores(
            translations,
            pairs,
            resamples=settings.resamples,
            seed=settings.seed,
        ),
        "examples": translation_scores.examples(
            translations, translators["attention"], pairs
        ),
    }


def table(found: dict[str, Any]) -> str:
    """Return the most important numbers as lines of text."""
    lines = ["translator    test perplexity   search         BLEU (zh)"]
    rows = found["training"]["systems"]
    for system, searches in found["bleu"].items():
        for search, bleu in searches.items():
            low, high = bleu["interval_95"]
            perplexity = (
                f"{rows[system]['perplexity']['test']:15.2f}"
                if system in rows
                else " " * 14 + "-"
            )
            lines.append(
                f"{system:<12} {perplexity}   {search:<12} "
                f"{bleu['score']:6.2f}  [{low:.2f}, {high:.2f}]"
            )
    lines.append(
        f"ours took {found['training']['ratio']:.2f} of torch's time "
        f"({found['training']['cpu_ratio']:.2f} of its core's)"
    )
    return "\n".join(lines)


# --- the command -------------------------------------------------------------


def start_worker(model: str, slot: int, quick: bool, root: Path) -> None:
    """Train one translator in a process of its own, with one thread."""
    command = [sys.executable, "-m", MODULE, "--model", model]
    command += ["--slot", str(slot), "--folder", str(root)]
    command += ["--quick"] if quick else []
    subprocess.run(command, cwd=ROOT, env=os.environ | ONE_THREAD, check=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, or go on; see the top of the file."""
    parser = parser_of(MODULE, __doc__)
    parser.add_argument(
        "--fresh", action="store_true", help="forget what is finished"
    )
    # What the workers are started with:
    parser.add_argument("--model", choices=JOBS, help=argparse.SUPPRESS)
    parser.add_argument("--slot", type=int, default=0, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    settings = QUICK if chosen.quick else FULL
    root = chosen.folder.resolve()
    folder = settings.folder(root)
    bar = partial(
        tqdm,
        position=chosen.slot,
        leave=False,
        disable=None,  # where nobody watches
    )
    if chosen.model:
        torch.set_num_threads(1)
        pairs = settings.pairs()
        say = partial(print, flush=True)
        work(chosen.model, settings, pairs, folder, progress=bar, say=say)
        return
    if chosen.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    recording = Recording(
        NAME,
        title=(
            "English into Chinese by GRUs with attention, trained by nlp_dawn "
            "and by torch, and without attention"
        ),
        command=f"python -m {MODULE}",
        seed=settings.seed,
        settings=json.loads(json.dumps(dataclasses.asdict(settings))),
        corpora=["tatoeba_cmn_eng"],
        packages=["torch"],
    )
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(start_worker, model, slot, chosen.quick, root)
            for slot, model in enumerate(JOBS)
        ]
        for run in runs:
            run.result()
    pairs = settings.pairs()
    jobs = {
        model: json.loads((folder / f"{model}.json").read_text("utf-8"))
        for model in JOBS
    }
    found = figures(settings, pairs, jobs, folder, progress=bar)
    print(table(found))
    if not chosen.quick:
        print(f"wrote {recording.write(found).relative_to(RESULTS)}")


if __name__ == "__main__":
    main()
