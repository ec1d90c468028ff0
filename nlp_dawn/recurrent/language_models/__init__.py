"""Language models: the probability of a text, word by word.

What a language model is, and how any of them is scored, sampled and fed
(``_scoring``); the model that counts n-grams (``_ngrams``) and the one that
reads the same window with a neural network (``_neural``, ``_windows``); what
its output layer costs (``_costs``), and two ways to make it cheaper: classes
of words (``_partition``, ``_classes``) and a binary tree (``_tree``). Losses
are in nats.
"""

from nlp_dawn.recurrent.language_models._classes import (
    class_cross_entropy,
    class_log_softmax,
    init_class_output,
)
from nlp_dawn.recurrent.language_models._costs import NNLMCosts, nnlm_costs
from nlp_dawn.recurrent.language_models._neural import (
    init_nnlm,
    linear_then_cross_entropy,
    nnlm,
    nnlm_hidden,
    nnlm_loss,
)
from nlp_dawn.recurrent.language_models._ngrams import NGram
from nlp_dawn.recurrent.language_models._partition import (
    WordClasses,
    assign_classes,
)
from nlp_dawn.recurrent.language_models._scoring import (
    LanguageModel,
    perplexity,
    sample,
    sentence_log_probability,
    shift_by_one,
    stream_batches,
    word_log_probabilities,
)
from nlp_dawn.recurrent.language_models._tree import (
    HuffmanTree,
    hierarchical_cross_entropy,
    hierarchical_log_softmax,
    huffman_tree,
    init_tree_output,
)
from nlp_dawn.recurrent.language_models._windows import (
    WindowModel,
    context_windows,
)

__all__ = [
    "HuffmanTree",
    "LanguageModel",
    "NGram",
    "NNLMCosts",
    "WindowModel",
    "WordClasses",
    "assign_classes",
    "class_cross_entropy",
    "class_log_softmax",
    "context_windows",
    "hierarchical_cross_entropy",
    "hierarchical_log_softmax",
    "huffman_tree",
    "init_class_output",
    "init_nnlm",
    "init_tree_output",
    "linear_then_cross_entropy",
    "nnlm",
    "nnlm_costs",
    "nnlm_hidden",
    "nnlm_loss",
    "perplexity",
    "sample",
    "sentence_log_probability",
    "shift_by_one",
    "stream_batches",
    "word_log_probabilities",
]
