"""Byte-pair encoding: a vocabulary between letters and words.

Learning merges as the definition says (``_merges``) and fast (``_indexed``);
cutting a word by them, exactly, with dropout, or by the longest match, which
is something else (``_encoding``); what is a word to begin with (``_words``);
tokenizers for words between spaces and for any bytes (``_tokenizer``,
``_tokenizers``). Then what a larger vocabulary buys and costs (``_tradeoff``),
and how to go on with a text that ends in the middle of a token
(``_healing``).
"""

from nlp_dawn.tokens.byte_pair_encoding._encoding import (
    apply_merges,
    longest_match,
    segmentation_probabilities,
)
from nlp_dawn.tokens.byte_pair_encoding._healing import (
    TokenIndex,
    healed_step,
    next_character,
    prefix_probability,
    sample_healed,
)
from nlp_dawn.tokens.byte_pair_encoding._indexed import learn_merges_indexed
from nlp_dawn.tokens.byte_pair_encoding._merges import (
    Pair,
    Ties,
    count_pairs,
    learn_merges,
    merge_pair,
)
from nlp_dawn.tokens.byte_pair_encoding._tokenizers import ByteBPE, WordBPE
from nlp_dawn.tokens.byte_pair_encoding._tradeoff import (
    DecoderCosts,
    compression_curve,
    decoder_costs,
)
from nlp_dawn.tokens.byte_pair_encoding._words import (
    bytes_to_characters,
    characters_to_bytes,
    split_words,
)

__all__ = [
    "ByteBPE",
    "DecoderCosts",
    "Pair",
    "Ties",
    "TokenIndex",
    "WordBPE",
    "apply_merges",
    "bytes_to_characters",
    "characters_to_bytes",
    "compression_curve",
    "count_pairs",
    "decoder_costs",
    "healed_step",
    "learn_merges",
    "learn_merges_indexed",
    "longest_match",
    "merge_pair",
    "next_character",
    "prefix_probability",
    "sample_healed",
    "segmentation_probabilities",
    "split_words",
]
