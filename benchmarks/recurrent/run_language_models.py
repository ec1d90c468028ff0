"""Language models on real text, each trained twice: by us and by torch.

About 400,000 words of film reviews (``movie_reviews``) are learned from, whole
other reviews are held out, and WikiText-2 is a second domain that nobody has
learned from. An n-gram model with Kneser-Ney smoothing, a feed-forward model
(NNLM), an RNN, a GRU and an LSTM of 200 units are asked for the same words.

Every neural model is trained by nlp_dawn and by a torch twin from the same
weights, in the same order (`contenders`). They take turns, one epoch each, in
one process with one thread: what else the machine does disturbs both. Two such
processes run at a time.

``python -m benchmarks.recurrent.run_language_models`` takes about half an hour
on two cores; the result is ``recurrent/language_models.movie_reviews``. It may
be interrupted at any time: started again, it goes on from the epochs that were
finished, and finds the same numbers. ``--quick`` makes the same run on a small
part of the texts, in a minute, and writes nothing. ``--toy`` makes another run:
the same models against the exact limit of the toy language.
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
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.recording import Recording, threads
from benchmarks.recurrent import texts
from benchmarks.recurrent.contenders import (
    NEURAL,
    ROWS,
    Contender,
    Library,
    Plan,
    Torch,
    asked,
)
from benchmarks.running import folder_of
from nlp_dawn.recurrent.language_models import NGram, perplexity
from nlp_dawn.typing import Array

NAME = "recurrent/language_models.movie_reviews"
MODULE = "benchmarks.recurrent.run_language_models"
ROOT = Path(__file__).resolve().parents[2]
# The longest first, so that the two processes end together.
JOBS = ("lstm", "gru", "rnn", "nnlm")
CONTENDERS: dict[str, type[Library] | type[Torch]] = {
    "library": Library,
    "torch": Torch,
}
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


@dataclass(frozen=True)
class Settings:
    """All choices of a run; the tuned ones by the validation part alone."""

    train: int = 400_000
    validation: int = 40_000
    test: int = 80_000
    wikitext: int | None = None
    vocabulary_size: int = 10_000
    embedding: int = 200
    hidden: int = 200
    batch_size: int = 32
    n_steps: int = 35
    order: int = 5  # of the NNLM and of the n-grams
    epochs: int = 5
    optimizer: str = "sgd"
    learning_rates: dict[str, float] = field(
        default_factory=lambda: {
            "nnlm": 20.0,
            "rnn": 5.0,
            "gru": 20.0,
            "lstm": 40.0,
        }
    )
    clip: float = 0.25
    seed: int = 0

    def texts(self) -> texts.Texts:
        """Read and split the texts."""
        return texts.load(
            train=self.train,
            validation=self.validation,
            test=self.test,
            wikitext=self.wikitext,
            size=self.vocabulary_size,
            seed=self.seed,
        )

    def plan(self, model: str) -> Plan:
        """Return how one network is trained."""
        own = {
            name: getattr(self, name)
            for name in (f.name for f in dataclasses.fields(Plan))
            if hasattr(self, name)
        }
        return Plan(
            model=model, learning_rate=self.learning_rates[model], **own
        )

    def folder(self, model: str) -> Path:
        """Return where the training of one network keeps what is finished.

        What another network is trained by does not matter there.
        """
        choices = dataclasses.asdict(self)
        choices["learning_rates"] = self.learning_rates[model]
        return folder_of(f"language_models-{model}", choices)


FULL = Settings()
QUICK = Settings(
    train=20_000,
    validation=3_000,
    test=3_000,
    wikitext=3_000,
    vocabulary_size=1_000,
    embedding=32,
    hidden=32,
    batch_size=8,
    epochs=2,
    # Below those at which rounding errors grow from step to step.
    learning_rates={"nnlm": 5.0, "rnn": 2.0, "gru": 10.0, "lstm": 10.0},
)


# --- one model ---------------------------------------------------------------


def work(
    model: str,
    settings: Settings,
    data: texts.Texts,
    folder: Path,
    *,
    progress: Callable[..., Any] | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Train one network with both contenders, or what is left of that.

    Returns
    -------
    dict
        By contender: for every epoch the seconds, the losses of all steps
        and the validation perplexity, and in the end all perplexities.
    """
    folder.mkdir(parents=True, exist_ok=True)
    account = folder / f"{model}.json"
    job: dict[str, Any] = {name: {"epochs": []} for name in CONTENDERS}
    if account.exists():
        job = json.loads(account.read_text(encoding="utf-8"))
    plan = settings.plan(model)
    contenders: dict[str, Contender] = {
        name: kind(plan, data.train, progress)
        for name, kind in CONTENDERS.items()
    }

    def checkpoint(name: str, epochs: int) -> Path:
        return folder / f"{model}.{name}.{epochs}.npz"

    for epoch in range(plan.epochs):
        for name, contender in contenders.items():
            if len(job[name]["epochs"]) > epoch:
                continue
            before = checkpoint(name, epoch)
            after = checkpoint(name, epoch + 1)
            after.unlink(missing_ok=True)  # of a run that broke off here
            start, cpu_start = time.perf_counter(), time.process_time()
            losses = contender.train_epoch(epoch, before, after)
            seconds = time.perf_counter() - start
            # With one thread, what the epoch takes where nothing else runs.
            cpu_seconds = time.process_time() - cpu_start
            found = perplexities(contender, data, ["validation"])["validation"]
            job[name]["epochs"].append(
                {
                    "seconds": seconds,
                    "cpu_seconds": cpu_seconds,
                    "losses": losses,
                    "validation": found["all"],
                }
            )
            if epoch + 1 == plan.epochs:
                job[name]["perplexity"] = perplexities(
                    contender, data, ["validation", "test", "wikitext"]
                )
                job[name]["parameters"] = sum(
                    array.size for array in plan.initial().values()
                )
            job["pools"] = threads()
            job["torch_threads"] = torch.get_num_threads()
            replace(account, job)  # from here on, the epoch is finished
            before.unlink(missing_ok=True)
            say(
                f"{model:>5} {name:>7} epoch {epoch + 1}/{plan.epochs}: "
                f"{seconds:.1f} s ({cpu_seconds:.1f} of its core), "
                f"validation {found['all']:.2f}"
            )
    return job


def replace(path: Path, value: Any) -> None:
    """Write JSON all at once or not at all."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(value), encoding="utf-8")
    unfinished.replace(path)


def perplexities(
    contender: Contender, data: texts.Texts, parts: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return perplexities at all words, and at those that are not <unk>."""
    held_out = data.parts()
    return {
        part: two_perplexities(
            -contender.losses(held_out[part]), held_out[part], data
        )
        for part in parts
    }


def two_perplexities(
    log_p: Array, text: Array, data: texts.Texts
) -> dict[str, float]:
    known = asked(text) != data.vocabulary.index(texts.UNKNOWN)
    return {"all": perplexity(log_p), "known": perplexity(log_p, known)}


def count(settings: Settings, data: texts.Texts) -> dict[str, Any]:
    """Return the row of the n-gram model, which has no twin."""
    start = time.perf_counter()
    model = NGram.fit([data.train], settings.order, settings.vocabulary_size)
    seconds = time.perf_counter() - start
    found = {
        part: two_perplexities(
            model.log_probabilities(text)[: len(asked(text))], text, data
        )
        for part, text in data.parts().items()
        if part != "train"
    }
    return {
        "model": "n-gram",
        "order": settings.order,
        "parameters": model.n_parameters,
        **columns("", found),
        **columns("torch_", None),
        "seconds": seconds,
        "torch_seconds": None,
        "ratio": None,
        "cpu_ratio": None,
        "curve": [],
        "torch_curve": [],
    }


# --- the table ---------------------------------------------------------------


def columns(
    prefix: str, found: dict[str, dict[str, float]] | None
) -> dict[str, float | None]:
    """Return one contender's perplexities under the names of the table."""
    names = {
        "perplexity": ("test", "all"),
        "known_perplexity": ("test", "known"),
        "validation_perplexity": ("validation", "all"),
        "wikitext_perplexity": ("wikitext", "all"),
        "wikitext_known_perplexity": ("wikitext", "known"),
    }
    return {
        f"{prefix}{name}": None if found is None else found[part][words]
        for name, (part, words) in names.items()
    }


def row(model: str, job: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a network: ours, torch's, and how they compare."""
    ours, theirs = job["library"], job["torch"]
    seconds, torch_seconds, cpu_seconds, torch_cpu_seconds = (
        np.array([epoch[clock] for epoch in side["epochs"]])
        for clock in ("seconds", "cpu_seconds")
        for side in (ours, theirs)
    )
    losses, torch_losses = (
        np.concatenate([epoch["losses"] for epoch in side["epochs"]])
        for side in (ours, theirs)
    )
    apart = np.abs(losses / torch_losses - 1)
    return {
        "model": model,
        "parameters": ours["parameters"],
        **columns("", ours["perplexity"]),
        **columns("torch_", theirs["perplexity"]),
        "seconds": float(seconds.sum()),
        "torch_seconds": float(torch_seconds.sum()),
        "cpu_seconds": float(cpu_seconds.sum()),
        "torch_cpu_seconds": float(torch_cpu_seconds.sum()),
        "ratio": float(np.median(seconds / torch_seconds)),  # epoch by epoch
        "ratios": (seconds / torch_seconds).tolist(),
        "cpu_ratio": float(np.median(cpu_seconds / torch_cpu_seconds)),
        "curve": [epoch["validation"] for epoch in ours["epochs"]],
        "torch_curve": [epoch["validation"] for epoch in theirs["epochs"]],
        "train_curve": [
            float(np.exp(np.mean(epoch["losses"]))) for epoch in ours["epochs"]
        ],
        "loss_difference": {
            "first_100_steps": float(apart[:100].max()),
            "median": float(np.median(apart)),
            "largest": float(apart.max()),
        },
    }


def figures(
    settings: Settings, data: texts.Texts, jobs: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return what the run found."""
    return {
        "rows": [
            count(settings, data),
            *(row(model, jobs[model]) for model in NEURAL),
        ],
        "tokens": data.tokens,
        "reviews": data.reviews,
        "vocabulary": len(data.vocabulary),
        "oov": data.unknown(),
        "pools": jobs[NEURAL[0]]["pools"],
        "torch_threads": jobs[NEURAL[0]]["torch_threads"],
        **{
            name: getattr(settings, name)
            for name in (
                *("embedding", "hidden", "batch_size", "n_steps", "epochs"),
                *("optimizer", "learning_rates", "clip"),
            )
        },
        **{
            f"training_{clock}": sum(
                epoch[clock]
                for job in jobs.values()
                for name in CONTENDERS
                for epoch in job[name]["epochs"]
            )
            for clock in ("seconds", "cpu_seconds")
        },
    }


def table(found: dict[str, Any]) -> str:
    """Return the table as lines of text."""
    lines = [
        "model   parameters |   test  torch |   wiki  torch |"
        "      s   torch  ratio"
    ]
    for r in found["rows"]:
        numbers = [
            r[name]
            for name in (
                *("perplexity", "torch_perplexity", "wikitext_perplexity"),
                *("torch_wikitext_perplexity", "seconds", "torch_seconds"),
                "ratio",
            )
        ]
        a, b, c, d, e, f, g = [
            "-" if x is None else f"{x:.2f}" for x in numbers
        ]
        lines.append(
            f"{r['model']:<7} {r['parameters']:>10,} | {a:>6} {b:>6} | "
            f"{c:>6} {d:>6} | {e:>6} {f:>7} {g:>6}"
        )
    return "\n".join(lines)


# --- the command -------------------------------------------------------------


def start_worker(model: str, slot: int, quick: bool) -> None:
    """Train one network in a process of its own, with one thread."""
    command = [sys.executable, "-m", MODULE, "--model", model]
    command += ["--slot", str(slot), *(["--quick"] if quick else [])]
    subprocess.run(command, cwd=ROOT, env=os.environ | ONE_THREAD, check=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, or go on; see the top of the file."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {MODULE}", description=__doc__.split("\n")[0]
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--quick", action="store_true", help="a small run that writes nothing"
    )
    kind.add_argument(
        "--toy", action="store_true", help="the toy language's exact limit"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="forget what is finished"
    )
    # What the workers are started with:
    parser.add_argument("--model", choices=NEURAL, help=argparse.SUPPRESS)
    parser.add_argument("--slot", type=int, default=0, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.toy:
        from benchmarks.recurrent import toy_limit

        toy_limit.main()
        return
    settings = QUICK if chosen.quick else FULL
    if chosen.model:
        torch.set_num_threads(1)
        bar = partial(
            tqdm,
            desc=chosen.model,
            position=chosen.slot,
            leave=False,
            disable=None,  # where nobody watches
        )
        say = partial(print, flush=True)
        work(
            chosen.model,
            settings,
            settings.texts(),
            settings.folder(chosen.model),
            progress=bar,
            say=say,
        )
        return
    if chosen.fresh:
        for model in JOBS:
            shutil.rmtree(settings.folder(model), ignore_errors=True)
    recording = Recording(
        NAME,
        title=(
            "Language models on film reviews, trained by nlp_dawn and by torch"
        ),
        command=f"python -m {MODULE}",
        seed=settings.seed,
        settings=dataclasses.asdict(settings) | {"held_out_rows": ROWS},
        corpora=["movie_reviews", "wikitext_2"],
        packages=["torch"],
    )
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(start_worker, model, number % 2, chosen.quick)
            for number, model in enumerate(JOBS)
        ]
        for run in runs:
            run.result()
    data = settings.texts()
    jobs = {
        model: json.loads(
            (settings.folder(model) / f"{model}.json").read_text("utf-8")
        )
        for model in JOBS
    }
    found = figures(settings, data, jobs)
    print(table(found))
    if not chosen.quick:
        print(f"wrote {recording.write(found).relative_to(ROOT)}")


if __name__ == "__main__":
    main()
