"""Translations of the test part, and how good they are.

A source that occurs with several translations is translated once and held
against all of them. BLEU takes Chinese character by character (``zh``). Its
intervals are percentiles over 1,000 resamples of the test sentences, and so are
those of differences, where both systems are resampled alike.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array  # type: ignore[import-untyped]

from benchmarks.seq2seq.translation_pairs import (
    BOS,
    EOS,
    PAD,
    Pairs,
    Question,
    words,
)
from nlp_dawn.recurrent.recurrent_networks import pad_batch
from nlp_dawn.seq2seq.attention import Translator
from nlp_dawn.seq2seq.beam_search import (
    Hypothesis,
    batched_beam_search,
    batched_greedy_search,
)
from nlp_dawn.seq2seq.evaluation import (
    bleu_from_statistics,
    bootstrap_interval,
    paired_bootstrap,
    segment_statistics,
)
from nlp_dawn.typing import Array

Params = dict[str, Array]
#: System, then search, then one text per question.
Texts = dict[str, dict[str, list[str]]]

#: Sources that are translated together.
ROWS = 64
#: The last length of every group of sentences, in English words and marks.
LENGTHS = (5, 7, 9, 12, 10_000)
#: Sentences are shown that have so many English words and marks.
SHOWN = (4, 6, 8, 10, 12, 15)
#: Which results are compared: two times (system, search).
COMPARED = (
    (("attention", "beam"), ("plain", "beam")),
    (("attention", "beam"), ("torch", "beam")),
    (("attention", "beam"), ("nudged", "beam")),
    (("attention", "beam"), ("attention", "greedy")),
    (("attention", "penalty"), ("attention", "beam")),
    (("attention", "beam"), ("nearest", "recall")),
)


# --- translating -------------------------------------------------------------


def translator(params: Params) -> Translator:
    """Return what asks a trained model for one word at a time."""
    return Translator(params, bos=BOS, eos=EOS, pad=PAD)


def search(
    params: Params,
    questions: Sequence[Question],
    *,
    max_length: int,
    beam: int | None = None,
    alpha: float = 0.0,
    progress: Callable[..., Any] | None = None,
    desc: str = "",
) -> list[Hypothesis]:
    """Translate all questions, greedily where no beam is given."""
    decoder = translator(params)
    # Sources of about the same length together; the answers in their places.
    order = sorted(
        range(len(questions)), key=lambda i: len(questions[i].source)
    )
    batches = [order[i : i + ROWS] for i in range(0, len(order), ROWS)]
    found: dict[int, Hypothesis] = {}
    for batch in progress(batches, desc=desc) if progress else batches:
        sources, _ = pad_batch([questions[i].source for i in batch], PAD)
        if beam is None:
            best = batched_greedy_search(
                decoder, sources, max_length=max_length
            )
        else:
            lists = batched_beam_search(
                decoder,
                sources,
                beam=beam,
                alpha=alpha,
                max_length=max_length,
            )
            best = [hypotheses[0] for hypotheses in lists]
        found.update(zip(batch, best, strict=True))
    return [found[i] for i in range(len(questions))]


def translate(
    translators: Mapping[str, Params],
    pairs: Pairs,
    folder: Path,
    *,
    beam: int,
    alphas: Sequence[float],
    max_length: int,
    progress: Callable[..., Any] | None = None,
) -> dict[str, Any]:
    """Translate the test part by every system and search, or what is left.

    The length penalty's exponent is the one of `alphas` that gives the system
    ``attention`` the highest BLEU on the validation part.

    Returns
    -------
    dict
        ``alpha`` and ``validation_bleu``; ``texts``, by system and search;
        ``about``, by system and search: the seconds that one core took, the
        mean log-probability (nats) and length (tokens) of the translations,
        and how many were cut off.
    """

    def found(
        system: str, part: str, name: str, **settings: Any
    ) -> dict[str, Any]:
        """Translate, or read what was translated before."""
        path = folder / f"translated.{system}.{part}.{name}.json"
        if not path.exists():
            start = time.process_time()
            hypotheses = search(
                translators[system],
                pairs.questions(part),
                max_length=max_length,
                progress=progress,
                desc=f"{system}, {name}",
                **settings,
            )
            seconds = time.process_time() - start
            result = summary(hypotheses, pairs) | {"cpu_seconds": seconds}
            unfinished = path.with_suffix(".part")
            unfinished.write_text(json.dumps(result), encoding="utf-8")
            unfinished.replace(path)
        read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return read

    references = [q.references for q in pairs.questions("validation")]
    tried = {
        alpha: bleu_from_statistics(
            statistics(
                found(
                    "attention",
                    "validation",
                    f"{alpha:g}",
                    beam=beam,
                    alpha=alpha,
                )["texts"],
                references,
            )
        ).score
        for alpha in (0.0, *alphas)
    }
    alpha = max(alphas, key=lambda alpha: tried[alpha])  # the first of equals
    searches: dict[str, dict[str, Any]] = {
        "greedy": {},
        "beam": {"beam": beam},
        "penalty": {"beam": beam, "alpha": alpha},
    }
    every = {
        system: {
            name: found(system, "test", name, **settings)
            for name, settings in searches.items()
        }
        for system in translators
    }
    texts = {
        system: {name: one.pop("texts") for name, one in by_search.items()}
        for system, by_search in every.items()
    }
    texts["nearest"] = {"recall": nearest(pairs)}
    return {
        "alpha": alpha,
        "validation_bleu": {f"{a:g}": score for a, score in tried.items()},
        "texts": texts,
        "about": every,
    }


def summary(hypotheses: Sequence[Hypothesis], pairs: Pairs) -> dict[str, Any]:
    """Return the texts, and what the model thinks of them."""
    return {
        "texts": [pairs.text(h.tokens) for h in hypotheses],
        "log_probability": float(
            np.mean([h.log_probability for h in hypotheses])
        ),
        "tokens": float(np.mean([len(h.tokens) for h in hypotheses])),
        "cut_off": sum(not h.finished for h in hypotheses),
    }


def nearest(pairs: Pairs) -> list[str]:
    """Answer with the translation of the most similar sentence learned from.

    What no model is needed for. The similarity is the cosine of counted words,
    rare ones weighing more: ln (N / number of sentences with the word).
    """
    english, chinese = pairs.corpus.texts["en"], pairs.corpus.texts["zh"]
    known = pairs.parts["train"].rows
    asked = [q.rows[0] for q in pairs.questions("test")]
    cut = [words(english[row]) for row in (*known, *asked)]
    numbers = {w: i for i, w in enumerate(sorted({w for s in cut for w in s}))}
    rows = np.repeat(np.arange(len(cut)), [len(s) for s in cut])
    columns = np.array([numbers[w] for s in cut for w in s], dtype=np.intp)
    counts = csr_array(
        (np.ones(len(rows)), (rows, columns)), shape=(len(cut), len(numbers))
    )
    counts.sum_duplicates()
    present = (counts[: len(known)] > 0).sum(axis=0)
    # A word that was never learned from is no help, and weighs nothing.
    weight = np.log(len(known) / np.where(present > 0, present, len(known)))
    vectors = counts * weight
    length = np.sqrt((vectors * vectors).sum(axis=1))
    vectors = vectors * (1 / np.where(length > 0, length, 1))[:, None]
    vectors = csr_array(vectors)
    close = (vectors[len(known) :] @ vectors[: len(known)].T).toarray()
    return [chinese[known[i]] for i in close.argmax(axis=1)]


# --- scoring -----------------------------------------------------------------


def statistics(
    texts: Sequence[str], references: Sequence[Sequence[str]]
) -> Array:
    """Return the rows that a BLEU of Chinese characters is made of."""
    return segment_statistics(texts, references, tokenize="zh")


def scores(
    translations: Mapping[str, Any],
    pairs: Pairs,
    *,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Return all BLEUs, their intervals, differences and lengths."""
    questions = pairs.questions("test")
    references = [q.references for q in questions]
    rows = {
        (system, name): statistics(texts, references)
        for system, by_search in translations["texts"].items()
        for name, texts in by_search.items()
    }
    bleu: dict[str, dict[str, Any]] = {}
    for (system, name), row in rows.items():
        bleu.setdefault(system, {})[name] = {
            **scored(row, resamples, seed),
            **translations["about"].get(system, {}).get(name, {}),
        }
    return {
        "questions": len(questions),
        "several_references": sum(len(r) > 1 for r in references),
        "alpha": translations["alpha"],
        "validation_bleu": translations["validation_bleu"],
        "bleu": bleu,
        "differences": [
            {
                "first": list(one),
                "second": list(other),
                **compared(rows[one], rows[other], resamples, seed),
            }
            for one, other in COMPARED
        ],
        "by_length": by_length(questions, rows, resamples, seed),
    }


def scored(rows: Array, resamples: int, seed: int) -> dict[str, Any]:
    """Return a BLEU, its parts and its interval."""
    bleu = bleu_from_statistics(rows)
    found = bootstrap_interval(
        rows, n_resamples=resamples, rng=np.random.default_rng(seed)
    )
    return {
        "score": bleu.score,
        "interval_95": [found.low, found.high],
        "precisions": list(bleu.precisions),
        "brevity_penalty": bleu.brevity_penalty,
        "length": bleu.hypothesis_length,
        "reference_length": bleu.reference_length,
    }


def compared(
    first: Array, second: Array, resamples: int, seed: int
) -> dict[str, Any]:
    """Return the difference of two BLEUs on the same resampled sentences."""
    found = paired_bootstrap(
        first,
        second,
        n_resamples=resamples,
        rng=np.random.default_rng(seed),
    )
    return {
        "difference": found.estimate,
        "interval_95": [found.low, found.high],
        "p_value": found.p_value,
    }


def by_length(
    questions: Sequence[Question],
    rows: Mapping[tuple[str, str], Array],
    resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Return BLEU with a beam for short and for long English sentences."""
    lengths = np.array([q.words for q in questions])
    found = []
    shortest = 1
    for longest in LENGTHS:
        inside = (shortest <= lengths) & (lengths <= longest)
        if inside.any():
            chosen = {
                system: rows[system, "beam"][inside]
                for system in ("attention", "torch", "plain")
            }
            found.append(
                {
                    "shortest": shortest,
                    "longest": int(lengths[inside].max()),
                    "questions": int(inside.sum()),
                    "bleu": {
                        system: scored(row, resamples, seed)
                        for system, row in chosen.items()
                    },
                    "attention_minus_plain": compared(
                        chosen["attention"], chosen["plain"], resamples, seed
                    ),
                }
            )
        shortest = longest + 1
    return found


# --- showing -----------------------------------------------------------------


def examples(
    translations: Mapping[str, Any], params: Params, pairs: Pairs
) -> list[dict[str, Any]]:
    """Return test sentences with their translations and attention.

    Which ones, was fixed before there was a translation; see `shown`.

    Returns
    -------
    list of dict
        Each with the English sentence, its references, the attribution of
        every pair quoted, what the systems wrote, and the attention of the
        greedy translation: one row per character, one column per piece.
    """
    questions = pairs.questions("test")
    english, origins = pairs.corpus.texts["en"], pairs.corpus.origins
    found = []
    for number in shown(questions):
        question = questions[number]
        characters, weights = attention(params, question, pairs)
        found.append(
            {
                "english": english[question.rows[0]],
                "words": question.words,
                "references": question.references,
                "attributions": [origins[row] for row in question.rows],
                "translations": {
                    system: {name: texts[number] for name, texts in by.items()}
                    for system, by in translations["texts"].items()
                    if system != "nearest"  # somebody else's sentence
                },
                "pieces": pairs.pieces(question.source),
                "characters": characters,
                "attention": np.round(weights, 3).tolist(),
            }
        )
    return found


def shown(questions: Sequence[Question]) -> list[int]:
    """Choose without looking at what any system makes of them.

    Of the sentences with 4, 6, 8, 10, 12 and 15 English words and marks, or
    else the next longer ones, that in the middle of their list.
    """
    chosen = []
    for wanted in SHOWN:
        longer = [q.words for q in questions if q.words >= wanted]
        same = [
            i
            for i, q in enumerate(questions)
            if q.words == min(longer, default=0)
        ]
        if same and same[len(same) // 2] not in chosen:
            chosen.append(same[len(same) // 2])
    return chosen


def attention(
    params: Params, question: Question, pairs: Pairs, max_length: int = 60
) -> tuple[list[str], Array]:
    """Return a greedy translation with its attention, (T, S).

    The end mark is among the characters if it was reached.
    """
    decoder = translator(params)
    state = decoder.start(question.source[None])
    token = BOS
    characters: list[str] = []
    rows: list[Array] = []
    while token != EOS and len(rows) < max_length:
        log_probs, state = decoder.step(state, [token])
        token = int(log_probs[0].argmax())
        assert state.weights is not None
        rows.append(state.weights[0])
        characters.append("</s>" if token == EOS else pairs.text([token]))
    return characters, np.stack(rows)
