"""How the aids against posterior collapse act on the toy language, over time.

The same small VAE language model is trained twenty times: with 0, 25, 50, 75
or 100 % of the decoder's input words hidden; each without another aid, with
annealing of the divergence, with a bag-of-words loss, and with both. All start
from the same weights, of one seed. Some times in training, sentences that were
held out are read, and it is measured what their latent variable says: the
divergence, the active units, the information about the sentence, and that about
its topic, which no word names and the language knows exactly.

The bound is the true one (β = 1) and the decoder reads all words whenever it is
measured, whatever is done in training; only a decoder that was trained to see
none sees none then either.

``python -m benchmarks.latent.run_collapse`` takes about ten minutes on two
cores and writes ``results/latent/collapse.toy.json``. It may be interrupted at
any time: started again, it goes on from the last measurement of each training,
and finds the same numbers. ``--quick`` trains for a few steps only, and writes
nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.latent import run_toy_vae, vae_systems
from benchmarks.latent.run_toy_vae import Language, entropy_of
from benchmarks.latent.vae_systems import PAD, START, STOP, Remedies, parts_of
from benchmarks.recording import RESULTS, Recording
from benchmarks.running import folder_of, parser_of
from nlp_dawn.latent.collapse import (
    active_units,
    label_information,
    latent_information,
    linear_schedule,
)
from nlp_dawn.latent.variational import VAELanguageModel, vae_language_model
from nlp_dawn.typing import Array

NAME = "latent/collapse.toy"
MODULE = "benchmarks.latent.run_collapse"
#: The language marks no unknown word. Padding is never read where a word is
#: paid for, so its vector is free to stand for a hidden one.
HIDDEN = PAD
#: How the two kinds of information are estimated; part of the settings.
ESTIMATORS = {
    "information": "a lower bound of I(z; topic), by label_information over "
    "the held-out sentences, one z each",
    "latent_information": "I(x; z) by latent_information over the held-out "
    "sentences, one z each; at most the logarithm of their number",
}


@dataclass(frozen=True)
class Settings(run_toy_vae.Settings):
    """The choices of chapter 25's run, and what is different or new here."""

    latent: int = 8
    steps: int = 4000
    look_every: int = 200
    ramp: int = 2000
    written: int = 200
    dropouts: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    bow_weight: float = 1.0

    def systems(self) -> list[Remedies]:
        """Return every combination of the aids."""
        return [
            Remedies(annealing, dropout, weight)
            for weight, annealing, dropout in product(
                (0.0, self.bow_weight), (0, self.ramp), self.dropouts
            )
        ]

    def recorded(self) -> dict[str, Any]:
        """Return the settings that this run uses, as JSON."""
        settings = asdict(self) | {
            "dropouts": [*self.dropouts],
            "estimators": ESTIMATORS,
        }
        for name in ("shown", "grid_end", "grid_points"):  # of a map
            del settings[name]
        return settings

    def folder(self, root: Path) -> Path:
        """Return where a run with these choices keeps what is finished."""
        return folder_of("collapse", asdict(self), root)


FULL = Settings()
QUICK = Settings(
    steps=40,
    look_every=20,
    ramp=20,
    hidden=16,
    held_out=100,
    samples=2,
    written=10,
)


def look(
    params: dict[str, Array], remedies: Remedies, toy: Language, topics: Array
) -> dict[str, float]:
    """Measure a model on the held-out sentences."""
    if remedies.inputless:
        params = vae_systems.blindfolded(params, unknown=HIDDEN)
    # The same noise every time: a change is one of the model.
    rng = np.random.default_rng(3)
    result, _ = vae_language_model(params, toy.ids, pad=PAD, rng=rng)
    posterior = result.z, result.mean, result.log_variance
    topic = label_information(*posterior, topics)
    sentence = latent_information(*posterior)
    found = parts_of(result)
    return found | {
        "nll_per_word": -found["elbo"] * len(toy.ids) / result.n_words,
        "active_units": int(active_units(result.mean).sum()),
        "information": topic.mean,
        "information_error": topic.standard_error,
        "latent_information": sentence.mean,
        "latent_information_error": sentence.standard_error,
    }


def work(
    remedies: Remedies, settings: Settings, folder: Path | None = None
) -> dict[str, Any]:
    """Train one system, or what is left of that; return all that is seen."""
    toy = Language(settings)
    topics = toy.topics()
    params = vae_systems.initial_vae(
        remedies,
        len(toy.vocabulary),
        embedding=settings.embedding,
        hidden=settings.hidden,
        latent=settings.latent,
        rng=np.random.default_rng([settings.seed, 2]),
    )

    def batches(rng: np.random.Generator) -> Iterator[Array]:
        for _ in range(settings.look_every):
            yield toy.batch(toy.language.sample(settings.batch_size, rng=rng))

    def evaluate(params: dict[str, Array]) -> dict[str, float]:
        return look(params, remedies, toy, topics)

    looks = [evaluate(params)]
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    history = vae_systems.fit(
        vae_systems.vae_objective(remedies, unknown=HIDDEN),
        params,
        batches,
        epochs=settings.steps // settings.look_every,
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        clip=settings.clip,
        rng=np.random.default_rng([settings.seed, 6]),
        evaluate=evaluate,
        checkpoint=None if folder is None else folder / f"{remedies.name}.npz",
    )
    looks += history.evaluations
    steps = [number * settings.look_every for number in range(len(looks))]
    if remedies.inputless:
        params = vae_systems.blindfolded(params, unknown=HIDDEN)
    model = VAELanguageModel(params, bos=START, eos=STOP, pad=PAD)
    return {
        "name": remedies.name,
        "remedies": asdict(remedies),
        "step": steps,
        "beta": [linear_schedule(step, remedies.annealing) for step in steps],
        **{name: [seen[name] for seen in looks] for name in looks[0]},
        "end": run_toy_vae.examine(model, toy, settings),
    }


def exact(settings: Settings) -> dict[str, float]:
    """Return what the language knows about itself, in nats."""
    toy = Language(settings)
    own = [toy.language.log_probability(s.words) for s in toy.held_out]
    words = [len(s.words) + 1 for s in toy.held_out]
    return {
        "entropy": toy.language.entropy,
        "held_out_entropy": -float(np.mean(own)),
        "held_out_entropy_per_word": -float(np.sum(own)) / sum(words),
        "topic_information": toy.language.topic_information,
        "mean_length": toy.language.mean_length,
    }


def run(
    settings: Settings,
    folder: Path | None = None,
    mapped: Callable[..., Any] = map,
) -> dict[str, Any]:
    """Train all systems; `mapped` may do so in several processes."""
    todo = settings.systems()
    n = len(todo)
    systems = []
    done = mapped(work, todo, [settings] * n, [folder] * n)
    for system in tqdm(done, total=n, disable=None):
        systems.append(system)
        tqdm.write(row(system))
    prior = Language(settings).language.topic_posterior([])
    return {
        "systems": systems,
        "topic_entropy": entropy_of(np.array([[*prior.values()]])),
        "exact": exact(settings),
    }


def row(system: dict[str, Any]) -> str:
    """Return the end of one training as a line of text."""
    above = system["end"]["above"]["nats"]
    return (
        f"{system['name']:<42} KL {system['kl'][-1]:6.3f}, "
        f"{system['active_units'][-1]} active, "
        f"I(z; topic) {system['information'][-1]:6.3f}, "
        f"I(x; z) {system['latent_information'][-1]:6.3f}, "
        f"bound {above:6.3f} nats above the language"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, or go on; see the top of the file."""
    chosen = parser_of(MODULE, __doc__).parse_args(arguments)
    settings = QUICK if chosen.quick else FULL
    recording = Recording(
        NAME,
        title="A VAE language model on the toy language, with every "
        "combination of three aids against posterior collapse",
        command=f"python -m {MODULE}",
        seed=settings.seed,
        settings=settings.recorded(),
    )
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = run(settings, settings.folder(chosen.folder), pool.map)
    if not chosen.quick:
        print(f"wrote {recording.write(found).relative_to(RESULTS)}")


if __name__ == "__main__":
    main()
