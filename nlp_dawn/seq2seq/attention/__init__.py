"""Encoder, decoder, attention: from a sentence to its translation.

How a memory is scored and read (``_scores``); an encoder, a bridge and one
step of a decoder (``_steps``), whole sentences at a time (``_unrolled``), as a
model that is trained (``_model``) and as one that is asked (``_translator``);
what becomes of a decoder that reads its own mistakes (``_exposure``). Losses
and log-probabilities are in nats.
"""

from nlp_dawn.seq2seq.attention._exposure import (
    clean_prefix_probability,
    error_rates,
    length_of_half,
)
from nlp_dawn.seq2seq.attention._model import (
    encoder_decoder,
    init_encoder_decoder,
)
from nlp_dawn.seq2seq.attention._scores import (
    additive_scores,
    attend,
    bilinear_scores,
    dot_scores,
)
from nlp_dawn.seq2seq.attention._steps import (
    Encoded,
    attention_kind,
    bridge,
    decoder_step,
    encode,
)
from nlp_dawn.seq2seq.attention._translator import (
    Translator,
    TranslatorState,
    roll_out,
)

__all__ = [
    "Encoded",
    "Translator",
    "TranslatorState",
    "additive_scores",
    "attend",
    "attention_kind",
    "bilinear_scores",
    "bridge",
    "clean_prefix_probability",
    "decoder_step",
    "dot_scores",
    "encode",
    "encoder_decoder",
    "error_rates",
    "init_encoder_decoder",
    "length_of_half",
    "roll_out",
]
