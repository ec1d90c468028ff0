"""The Gumbel trick: draws that are exact, and draws with a gradient.

The distribution and the maximum of several draws of it (``_distribution``)
turn logits into exact draws of classes (``_categorical``). A softmax in place
of the maximum relaxes a draw (``_relaxation``). What relaxing keeps without
any noise stands in ``_choices``; how good the gradients are, in
``_estimators``. Three uses: words written and places read (``_sequences``),
and a latent class (``_autoencoder``). Everything is in nats, and noise is
always an argument: the same noise gives the same draw.
"""

from nlp_dawn.latent.gumbel._autoencoder import (
    categorical_vae,
    class_posteriors,
    init_categorical_vae,
    relaxed_categorical_vae,
    score_function_categorical_vae,
    text_log_evidence,
)
from nlp_dawn.latent.gumbel._categorical import (
    gumbel_max,
    gumbel_top_k,
    plackett_luce_log_probability,
)
from nlp_dawn.latent.gumbel._choices import (
    Best,
    Objective,
    bent_objective,
    expected_value,
    linear_objective,
    minimize_exhaustively,
    minimize_relaxed,
)
from nlp_dawn.latent.gumbel._distribution import (
    GumbelMoments,
    gumbel_cdf,
    gumbel_density,
    gumbel_log_density,
    gumbel_moments,
    gumbel_noise,
    gumbel_quantile,
    maximum_location,
)
from nlp_dawn.latent.gumbel._estimators import (
    EstimatorError,
    annealed_temperature,
    estimator_error,
    optimal_baseline,
    reinforce_gradients,
    relaxed_gradients,
)
from nlp_dawn.latent.gumbel._relaxation import (
    concrete_log_density,
    expected_relaxation,
    gumbel_softmax,
    straight_through,
)
from nlp_dawn.latent.gumbel._sequences import (
    bigram_reward,
    soft_embedding,
    soft_generation,
    stochastic_attention,
)

__all__ = [
    "Best",
    "EstimatorError",
    "GumbelMoments",
    "Objective",
    "annealed_temperature",
    "bent_objective",
    "bigram_reward",
    "categorical_vae",
    "class_posteriors",
    "concrete_log_density",
    "estimator_error",
    "expected_relaxation",
    "expected_value",
    "gumbel_cdf",
    "gumbel_density",
    "gumbel_log_density",
    "gumbel_max",
    "gumbel_moments",
    "gumbel_noise",
    "gumbel_quantile",
    "gumbel_softmax",
    "gumbel_top_k",
    "init_categorical_vae",
    "linear_objective",
    "maximum_location",
    "minimize_exhaustively",
    "minimize_relaxed",
    "optimal_baseline",
    "plackett_luce_log_probability",
    "reinforce_gradients",
    "relaxed_categorical_vae",
    "relaxed_gradients",
    "score_function_categorical_vae",
    "soft_embedding",
    "soft_generation",
    "stochastic_attention",
    "straight_through",
    "text_log_evidence",
]
