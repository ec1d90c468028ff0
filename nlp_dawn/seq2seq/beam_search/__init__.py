"""Decoding: the best sentence that a model knows, or nearly the best.

What a search returns and how a sentence's score depends on its length
(``_hypotheses``, ``_penalties``); the best word at every step, the best few
prefixes at every step, with and without an end, and all sentences there are
(``_search``), on anything that is a language model (``_models``: one written
down as a table). Then the same searches for many sources at once, on decoders
that keep a state (``_batched``, ``_largest``). Log-probabilities are in nats.
"""

from nlp_dawn.seq2seq.beam_search._batched import (
    StepDecoder,
    batched_beam_search,
    batched_greedy_search,
)
from nlp_dawn.seq2seq.beam_search._hypotheses import (
    BeamSearch,
    BeamStep,
    Hypothesis,
    best_first,
)
from nlp_dawn.seq2seq.beam_search._largest import largest_in_rows
from nlp_dawn.seq2seq.beam_search._models import TableModel
from nlp_dawn.seq2seq.beam_search._penalties import (
    best_attainable_score,
    length_penalty,
)
from nlp_dawn.seq2seq.beam_search._search import (
    beam_search,
    exhaustive_search,
    fixed_length_beam_search,
    greedy_search,
)

__all__ = [
    "BeamSearch",
    "BeamStep",
    "Hypothesis",
    "StepDecoder",
    "TableModel",
    "batched_beam_search",
    "batched_greedy_search",
    "beam_search",
    "best_attainable_score",
    "best_first",
    "exhaustive_search",
    "fixed_length_beam_search",
    "greedy_search",
    "largest_in_rows",
    "length_penalty",
]
