"""A language model with a latent variable, and the bound that trains it.

The approximate posterior and its divergence from the prior (``_gaussian``);
the evidence lower bound, split exactly and estimated (``_bound``), on two
models of which everything is known (``_exact``); the variational autoencoder
for sentences (``_model``), its two networks (``_network``) and two aids
against an idle latent variable (``_remedies``); what a trained one writes
(``_generation``), and ways between two points (``_interpolation``). Everything
is in nats.
"""

from nlp_dawn.latent.variational._bound import (
    Bound,
    JensenGap,
    decompose,
    elbo_from_weights,
    elbo_with_exact_kl,
    importance_weighted_bound,
    jensen_gap,
)
from nlp_dawn.latent.variational._exact import (
    LinearGaussian,
    MixtureOfUnigrams,
)
from nlp_dawn.latent.variational._gaussian import (
    diagonal_log_density,
    kl_per_dimension,
    kl_to_standard_normal,
    sample_posterior,
)
from nlp_dawn.latent.variational._generation import (
    VAELanguageModel,
    VAEState,
)
from nlp_dawn.latent.variational._interpolation import interpolate
from nlp_dawn.latent.variational._model import (
    VAEResult,
    init_vae_language_model,
    vae_language_model,
)
from nlp_dawn.latent.variational._remedies import (
    bag_of_words_loss,
    drop_words,
)

__all__ = [
    "Bound",
    "JensenGap",
    "LinearGaussian",
    "MixtureOfUnigrams",
    "VAELanguageModel",
    "VAEResult",
    "VAEState",
    "bag_of_words_loss",
    "decompose",
    "diagonal_log_density",
    "drop_words",
    "elbo_from_weights",
    "elbo_with_exact_kl",
    "importance_weighted_bound",
    "init_vae_language_model",
    "interpolate",
    "jensen_gap",
    "kl_per_dimension",
    "kl_to_standard_normal",
    "sample_posterior",
    "vae_language_model",
]
