"""From words to numbers, and from numbers through layers.

A vocabulary numbers the words, a bag of words counts them (``_words``); the
first layer of a network that reads words is a table with one row per word
(``_embedding``), which need not start at random (``_tables``); what makes more
than one layer worth having is the bend between them (``_activations``,
``_layers``).
"""

from nlp_dawn.foundations.perceptrons._activations import (
    relu,
    relu_layer,
    sigmoid,
    sigmoid_layer,
    tanh_layer,
)
from nlp_dawn.foundations.perceptrons._embedding import (
    RowGradient,
    embedding,
    embedding_bag,
)
from nlp_dawn.foundations.perceptrons._layers import (
    collapse,
    he_normal,
    init_mlp,
    mlp,
    xavier_uniform,
)
from nlp_dawn.foundations.perceptrons._tables import (
    TruncatedSVD,
    freeze_rows,
    lsa_embeddings,
    table_from_vectors,
    tf_idf,
    truncated_svd,
)
from nlp_dawn.foundations.perceptrons._words import (
    Vocabulary,
    bag_of_words,
    sparse_bag,
)

__all__ = [
    "RowGradient",
    "TruncatedSVD",
    "Vocabulary",
    "bag_of_words",
    "collapse",
    "embedding",
    "embedding_bag",
    "freeze_rows",
    "he_normal",
    "init_mlp",
    "lsa_embeddings",
    "mlp",
    "relu",
    "relu_layer",
    "sigmoid",
    "sigmoid_layer",
    "sparse_bag",
    "table_from_vectors",
    "tanh_layer",
    "tf_idf",
    "truncated_svd",
    "xavier_uniform",
]
