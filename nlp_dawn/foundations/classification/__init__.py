"""From scores to probabilities, to a loss, to its gradient.

A linear layer gives every class a score, a logit (``_linear``), softmax turns
the scores into probabilities (``_probabilities``), cross-entropy says how
surprised they are by the truth, and its gradient with respect to the scores
is "probabilities minus truth" (``_loss``). With very many classes the linear
layer and the loss are one function (``_fused``). Losses are in nats.
"""

from nlp_dawn.foundations.classification._fused import linear_cross_entropy
from nlp_dawn.foundations.classification._linear import (
    linear,
    predict,
    predict_proba,
)
from nlp_dawn.foundations.classification._loss import (
    cross_entropy,
    cross_entropy_hessian_product,
    one_hot,
    smooth_labels,
)
from nlp_dawn.foundations.classification._probabilities import (
    log_softmax,
    logsumexp,
    masked_softmax,
    naive_softmax,
    softmax,
    softmax_jacobian,
    softmax_layer,
)

__all__ = [
    "cross_entropy",
    "cross_entropy_hessian_product",
    "linear",
    "linear_cross_entropy",
    "log_softmax",
    "logsumexp",
    "masked_softmax",
    "naive_softmax",
    "one_hot",
    "predict",
    "predict_proba",
    "smooth_labels",
    "softmax",
    "softmax_jacobian",
    "softmax_layer",
]
