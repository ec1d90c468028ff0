"""VAE language models on real sentences, beside language models without z.

Eight thousand of ten thousand English sentences of Tatoeba
(`tatoeba_sentences`) are learned from by an LSTM language model; by a VAE
language model of the same size as it is, with annealing, and with annealing
and hidden input words; and, with *all* input words hidden, by a language model
and by a VAE. The table that comes of it has the form of table 2 of Bowman et
al. (2016), who used other, longer texts: its shape can be compared, its
numbers cannot. Every system is trained from three seeds.

Fixed before the first run are two rules: the bound (β = 1) of the validation
part is taken after every epoch, and the weights of the best epoch are kept;
and the system that writes the sentences between two others is the third VAE,
of the first seed. The sizes, the step size and the rate of dropout were chosen
after two short runs that printed the test figures too: so these are not quite
unseen.

``python -m benchmarks.latent.run_vae`` takes about ten minutes on two cores
and writes ``results/latent/collapse.tatoeba.json``. It may be interrupted at
any time: started again, it goes on from the epochs that were finished, and
finds the same numbers. ``--quick`` makes the same run on a small part of the
sentences, in a minute, and writes nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.latent import tatoeba_sentences, vae_systems
from benchmarks.latent.tatoeba_sentences import UNKNOWN, Part, Sentences
from benchmarks.latent.vae_systems import PAD, START, STOP, Remedies
from benchmarks.recording import RESULTS, Recording
from benchmarks.running import folder_of, parser_of
from nlp_dawn.latent.collapse import active_units, latent_information
from nlp_dawn.latent.variational import (
    VAELanguageModel,
    importance_weighted_bound,
    interpolate,
    vae_language_model,
)
from nlp_dawn.recurrent.gates import open_forget_gates
from nlp_dawn.recurrent.recurrent_networks import init_recurrent_language_model
from nlp_dawn.typing import Array

NAME = "latent/collapse.tatoeba"
MODULE = "benchmarks.latent.run_vae"
#: Which VAE writes between sentences, and which others beside it.
SHOWN = "VAE, annealing, word dropout"
BESIDE = ("VAE", "VAE, inputless decoder")
#: How what is not plain is estimated; part of the settings.
ESTIMATORS = {
    "nll": "minus the bound, nats per sentence, the divergence in closed form "
    "and one z per sentence; exact without z",
    "mutual_information": "I(x; z) by latent_information over the test "
    "sentences, one z each; at most the logarithm of their number",
    "importance_weighted": "minus the importance-weighted bound, in nats per "
    "sentence",
}


@dataclass(frozen=True)
class Settings:
    """All choices of a run."""

    shares: tuple[float, float, float] = (0.80, 0.08, 0.12)
    longest: int = 15
    min_count: int = 2
    limit: int | None = 10_000
    embedding: int = 64
    hidden: int = 128
    latent: int = 16
    batch_size: int = 32
    epochs: int = 10
    learning_rate: float = 0.004
    clip: float = 5.0
    ramp: float = 0.5  # of all steps
    word_dropout: float = 0.4
    samples: int = 10
    pairs: int = 6
    points: int = 7
    written: int = 12
    prior_points: int = 100
    seeds: tuple[int, ...] = (0, 1, 2)
    seed: int = 0  # of the split

    def sentences(self) -> Sentences:
        """Read and split the sentences."""
        return tatoeba_sentences.load(
            shares=self.shares,
            longest=self.longest,
            min_count=self.min_count,
            limit=self.limit,
            seed=self.seed,
        )

    def recorded(self) -> dict[str, Any]:
        """Return the settings as JSON."""
        lists = {"shares": [*self.shares], "seeds": [*self.seeds]}
        return asdict(self) | lists | {"estimators": ESTIMATORS}

    def systems(self, steps: int) -> dict[str, Remedies | float]:
        """Return the aids of every VAE, and what language models hide."""
        ramp = round(self.ramp * steps)
        return {
            "LSTM language model": 0.0,
            "VAE": Remedies(),
            "VAE, annealing": Remedies(ramp),
            SHOWN: Remedies(ramp, self.word_dropout),
            "inputless language model": 1.0,
            "VAE, inputless decoder": Remedies(ramp, 1.0),
        }

    def folder(self, root: Path) -> Path:
        """Return where a run with these choices keeps what is finished."""
        return folder_of("vae", asdict(self), root)


FULL = Settings()
QUICK = Settings(
    limit=800,
    embedding=12,
    hidden=24,
    latent=4,
    batch_size=32,
    epochs=2,
    samples=2,
    pairs=2,
    points=3,
    written=3,
    prior_points=5,
    seeds=(0, 1),
)


@cache
def _sentences(settings: Settings) -> Sentences:
    return settings.sentences()  # once per process


# --- one system --------------------------------------------------------------


class Best:
    """Evaluates after every epoch, and keeps the best weights in a file."""

    def __init__(
        self, path: Path, loss: Callable[[dict[str, Array]], float]
    ) -> None:
        self.path, self.loss = path, loss

    def __call__(self, params: dict[str, Array]) -> dict[str, float]:
        """Return the validation loss; write the weights if it is the lowest."""
        loss = self.loss(params)
        if not self.path.exists() or loss < self.kept()[0]:
            unfinished = self.path.with_suffix(".part")
            with unfinished.open("wb") as file:
                np.savez(file, allow_pickle=False, loss=loss, **params)
            unfinished.replace(self.path)
        return {"validation": loss}

    def kept(self) -> tuple[float, dict[str, Array]]:
        """Return the lowest loss so far, and its weights."""
        with np.load(self.path, allow_pickle=False) as file:
            params = {name: file[name] for name in file.files}
        return float(params.pop("loss")), params


def initial(
    remedies: Remedies | float, V: int, settings: Settings, seed: int
) -> dict[str, Array]:
    """Draw the parameters of a system."""
    rng = np.random.default_rng([seed, 1])
    if isinstance(remedies, Remedies):
        return vae_systems.initial_vae(
            remedies,
            V,
            embedding=settings.embedding,
            hidden=settings.hidden,
            latent=settings.latent,
            rng=rng,
        )
    params = init_recurrent_language_model(
        V, settings.embedding, settings.hidden, gates=4, rng=rng
    )
    params["rnn.b"] = open_forget_gates(params["rnn.b"])
    return params


def ready(
    params: dict[str, Array], remedies: Remedies | float
) -> dict[str, Array]:
    """Return a system as it is used: what never saw a word sees none."""
    rate = remedies.word_dropout if isinstance(remedies, Remedies) else remedies
    if rate == 1:
        return vae_systems.blindfolded(params, unknown=UNKNOWN)
    return params


def read(params: dict[str, Array], part: Part) -> dict[str, Any]:
    """Read the sentences of a part; return what they cost, and posteriors.

    Returns
    -------
    dict
        ``nll`` and, of a VAE, ``reconstruction`` and ``kl``, in nats per
        sentence; ``ppl``; ``posterior``: z, mean and log-variance (N, Z).
    """
    n = len(part.sentences)
    if "embedding.W" in params:
        costs = [
            float(
                vae_systems.language_model(params, ids[:, :-1], ids[:, 1:])[0]
            )
            * len(ids)
            for ids in part.blocks()
        ]
        nll = sum(costs) / n
        return {"nll": nll, "ppl": float(np.exp(nll * n / part.n_words))}
    rng = np.random.default_rng(3)  # the same noise, whatever is read
    results = [
        vae_language_model(params, ids, pad=PAD, rng=rng)[0]
        for ids in part.blocks()
    ]
    kl = float(np.concatenate([r.kl for r in results]).mean())
    reconstruction = (
        sum(float(r.reconstruction) * len(r.kl) for r in results) / n
    )
    nll = reconstruction + kl
    return {
        "nll": nll,
        "reconstruction": reconstruction,
        "kl": kl,
        "ppl": float(np.exp(nll * n / part.n_words)),
        "posterior": tuple(
            np.concatenate([getattr(r, name) for r in results])
            for name in ("z", "mean", "log_variance")
        ),
    }


def like(part: Part, other: Part) -> Part:
    """Draw as many sentences from another part, of all places in it.

    The corpus has its short sentences first.
    """
    rows = np.random.default_rng(7).choice(
        len(other.sentences), len(part.sentences), replace=False
    )
    return Part([other.sentences[row] for row in rows])


def work(
    name: str, seed: int, settings: Settings, folder: Path
) -> dict[str, Any]:
    """Train one system from one seed, or what is left; return its row."""
    sentences = _sentences(settings)
    train, test = sentences.parts["train"], sentences.parts["test"]
    steps_per_epoch = sum(
        1 for _ in train.batches(settings.batch_size, np.random.default_rng(0))
    )
    steps = settings.epochs * steps_per_epoch
    remedies = settings.systems(steps)[name]
    params = initial(remedies, len(sentences.vocabulary), settings, seed)
    stem = f"{name.replace(', ', '-').replace(' ', '_')}.{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    best = Best(
        folder / f"{stem}.best.npz",
        lambda params: float(
            read(ready(params, remedies), sentences.parts["validation"])["nll"]
        ),
    )
    if isinstance(remedies, Remedies):
        objective = vae_systems.vae_objective(remedies, unknown=UNKNOWN)
    else:
        objective = vae_systems.lm_objective(remedies, unknown=UNKNOWN)
    history = vae_systems.fit(
        objective,
        params,
        lambda rng: train.batches(settings.batch_size, rng),
        epochs=settings.epochs,
        steps=steps,
        learning_rate=settings.learning_rate,
        clip=settings.clip,
        rng=np.random.default_rng([seed, 2]),
        evaluate=best,
        checkpoint=folder / f"{stem}.npz",
    )
    validation = [seen["validation"] for seen in history.evaluations]
    _, params = best.kept()
    params = ready(params, remedies)
    found = read(params, test)
    posterior = found.pop("posterior", None)
    # What sentences that were learned from cost less is learned by heart.
    again = read(params, like(test, train))
    row = {
        "seed": seed,
        "parameters": sum(weights.size for weights in params.values()),
        "best_epoch": int(np.argmin(validation)) + 1,
        "validation": validation,
        "train": {
            key: again[key] for key in ("nll", "kl", "ppl") if key in again
        },
        **found,
    }
    if posterior is None:
        return row
    return row | measured(params, posterior, test, settings)


def measured(
    params: dict[str, Array],
    posterior: tuple[Array, ...],
    part: Part,
    settings: Settings,
) -> dict[str, Any]:
    """Return what is asked of the latent variable of a VAE."""
    rng = np.random.default_rng(4)
    model = VAELanguageModel(params, bos=START, eos=STOP, pad=PAD)
    tighter = np.concatenate(
        [
            importance_weighted_bound(
                model.log_weights(ids, settings.samples, rng=rng)
            )
            for ids in part.blocks()
        ]
    )
    information = latent_information(*posterior)
    points = rng.standard_normal((settings.prior_points, model.latent))
    written = model.generate(points, max_length=settings.longest)
    nll = -float(tighter.mean(dtype=float))
    n_per_word = len(part.sentences) / part.n_words
    return {
        "importance_weighted": nll,
        "importance_weighted_ppl": float(np.exp(nll * n_per_word)),
        "active_units": int(active_units(posterior[1]).sum()),
        "mutual_information": information.mean,
        "mutual_information_error": information.standard_error,
        # Of the likeliest words at points of the prior.
        "distinct": len({tuple(words) for words in written}) / len(written),
    }


# --- what the VAEs write -----------------------------------------------------


def shown_pairs(part: Part, settings: Settings) -> list[tuple[Array, Array]]:
    """Draw pairs of sentences of middle length without unknown words."""
    known = [
        ids
        for ids in part.sentences
        if 6 <= len(ids) <= 11 and UNKNOWN not in ids
    ]
    rows = np.random.default_rng([settings.seed, 5]).choice(
        len(known), (settings.pairs, 2), replace=False
    )
    return [(known[a], known[b]) for a, b in rows]


def writings(
    settings: Settings, sentences: Sentences, folder: Path
) -> dict[str, Any]:
    """Return what the VAEs of the first seed write."""
    seed = settings.seeds[0]
    every: dict[str, Any] = {}
    for name in (SHOWN, *BESIDE):
        stem = f"{name.replace(', ', '-').replace(' ', '_')}.{seed}"
        _, params = Best(folder / f"{stem}.best.npz", lambda _: 0.0).kept()
        params = ready(params, settings.systems(1)[name])
        model = VAELanguageModel(params, bos=START, eos=STOP, pad=PAD)
        rng = np.random.default_rng([settings.seed, 6])
        points = rng.standard_normal((settings.written, model.latent))
        every[name] = {
            "interpolations": [
                {
                    "from": sentences.text(start),
                    "to": sentences.text(end),
                    "steps": between(model, start, end, settings, sentences),
                }
                for start, end in shown_pairs(sentences.parts["test"], settings)
            ],
            "samples": [
                sentences.text(words)
                for words in model.generate(
                    points, max_length=settings.longest, rng=rng
                )
            ],
            "likeliest": [
                sentences.text(words)
                for words in model.generate(points, max_length=settings.longest)
            ],
        }
    return {
        "writer": SHOWN,
        **every[SHOWN],
        "beside": {name: every[name] for name in BESIDE},
    }


def between(
    model: VAELanguageModel,
    start: Array,
    end: Array,
    settings: Settings,
    sentences: Sentences,
) -> list[str]:
    """Write the likeliest words at points between two sentences."""
    (a, b), _ = zip(
        *(model.encode(ids[None]) for ids in (start, end)), strict=True
    )
    points = interpolate(a[0], b[0], settings.points)
    written = model.generate(points, max_length=settings.longest)
    return [sentences.text(words) for words in written]


# --- the run -----------------------------------------------------------------


def summary(seeds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return mean and standard deviation over the seeds of all numbers."""
    names = [
        name
        for name, value in seeds[0].items()
        if isinstance(value, int | float) and name != "seed"
    ]
    values = {name: np.array([row[name] for row in seeds]) for name in names}
    return {
        "mean": {name: float(v.mean()) for name, v in values.items()},
        "sd": {name: float(v.std(ddof=1)) for name, v in values.items()},
    }


def run(
    settings: Settings,
    folder: Path,
    mapped: Callable[..., Iterator[dict[str, Any]]] = map,
) -> dict[str, Any]:
    """Train all systems; `mapped` may do so in several processes."""
    names = list(settings.systems(1))
    # Seed by seed: what breaks off early has a whole table.
    todo = list(product(settings.seeds, names))
    done = mapped(
        work,
        [name for _, name in todo],
        [seed for seed, _ in todo],
        [settings] * len(todo),
        [folder] * len(todo),
    )
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for (_, name), row in zip(
        todo, tqdm(done, total=len(todo), disable=None), strict=True
    ):
        rows[name].append(row)
        tqdm.write(line(name, row))
    sentences = _sentences(settings)
    return {
        "systems": [
            {"name": name, "seeds": seeds, **summary(seeds)}
            for name, seeds in rows.items()
        ],
        **writings(settings, sentences, folder),
        "data": sentences.account(),
    }


def line(name: str, row: dict[str, Any]) -> str:
    """Return the most important numbers of a row as text."""
    text = (
        f"{name:<29} seed {row['seed']}: nll {row['nll']:6.2f}, "
        f"perplexity {row['ppl']:6.1f}, epoch {row['best_epoch']:2}"
    )
    if "kl" in row:
        text += (
            f", KL {row['kl']:5.2f}, {row['active_units']:2} active, "
            f"I {row['mutual_information']:5.2f}, "
            f"weighted {row['importance_weighted']:6.2f}, "
            f"distinct {row['distinct']:.0%}"
        )
    return text


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, or go on; see the top of the file."""
    chosen = parser_of(MODULE, __doc__).parse_args(arguments)
    settings = QUICK if chosen.quick else FULL
    recording = Recording(
        NAME,
        title="VAE language models on the English sentences of Tatoeba, "
        "beside language models without a latent variable",
        command=f"python -m {MODULE}",
        seed=settings.seed,
        settings=settings.recorded(),
        corpora=["tatoeba_cmn_eng"],
    )
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = run(settings, settings.folder(chosen.folder), pool.map)
    if not chosen.quick:
        print(f"wrote {recording.write(found).relative_to(RESULTS)}")


if __name__ == "__main__":
    main()
