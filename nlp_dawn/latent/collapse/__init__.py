"""Posterior collapse: how to see it, and what is done against it.

Schedules for the weight of the divergence (``_schedules``), measures of what
a latent variable is used for (``_diagnosis``), and two cases that can be
solved: a language of two sentences (``_two_sentences``), and linear networks
(``_linear``). The other two remedies, hidden words and the bag-of-words loss,
belong to the model of :mod:`nlp_dawn.latent.variational`. Information is in
nats.
"""

from nlp_dawn.latent.collapse._diagnosis import (
    active_units,
    label_information,
    latent_information,
)
from nlp_dawn.latent.collapse._linear import PPCA, linear_vae, ppca
from nlp_dawn.latent.collapse._schedules import (
    cyclic_schedule,
    linear_schedule,
    sigmoid_schedule,
)
from nlp_dawn.latent.collapse._two_sentences import two_sentence_vae

__all__ = [
    "PPCA",
    "active_units",
    "cyclic_schedule",
    "label_information",
    "latent_information",
    "linear_schedule",
    "linear_vae",
    "ppca",
    "sigmoid_schedule",
    "two_sentence_vae",
]
