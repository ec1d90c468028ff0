"""Gradients of an expectation by the parameters of what is averaged over.

Samples as functions of their parameters and of noise that does not depend on
them: Gaussian ones (``_gaussian``) and those of any distribution function
(``_inverse_cdf``, ``_distribution_functions``). Estimators of the gradient of
E f(z), sample by sample (``_estimators``, ``_scores``), and functions f
(``_integrands``) for which the truth and every variance are known
(``_exact``).
"""

from nlp_dawn.latent.reparameterization._distribution_functions import (
    exponential_cdf,
    gaussian_cdf,
    logistic_cdf,
    logistic_mixture_cdf,
)
from nlp_dawn.latent.reparameterization._estimators import (
    ESTIMATORS,
    GradientEstimate,
    Integrand,
    antithetic,
    bonnet_price,
    finite_difference_gradients,
    gaussian_gradients,
    summarize,
)
from nlp_dawn.latent.reparameterization._exact import (
    Moments,
    polynomial_moments,
    sinusoid_crossover,
    sinusoid_moments,
    step_moments,
)
from nlp_dawn.latent.reparameterization._gaussian import (
    PARAMETRIZATIONS,
    reparameterize,
    reparameterize_full,
    standard_deviation,
)
from nlp_dawn.latent.reparameterization._integrands import (
    polynomial,
    sinusoid,
    step,
)
from nlp_dawn.latent.reparameterization._inverse_cdf import (
    quantile,
    reparameterize_by_cdf,
    reparameterize_exponential,
    reparameterize_logistic,
)
from nlp_dawn.latent.reparameterization._scores import (
    categorical_scores,
    gaussian_scores,
    score_function_gradients,
)

__all__ = [
    "ESTIMATORS",
    "PARAMETRIZATIONS",
    "GradientEstimate",
    "Integrand",
    "Moments",
    "antithetic",
    "bonnet_price",
    "categorical_scores",
    "exponential_cdf",
    "finite_difference_gradients",
    "gaussian_cdf",
    "gaussian_gradients",
    "gaussian_scores",
    "logistic_cdf",
    "logistic_mixture_cdf",
    "polynomial",
    "polynomial_moments",
    "quantile",
    "reparameterize",
    "reparameterize_by_cdf",
    "reparameterize_exponential",
    "reparameterize_full",
    "reparameterize_logistic",
    "score_function_gradients",
    "sinusoid",
    "sinusoid_crossover",
    "sinusoid_moments",
    "standard_deviation",
    "step",
    "step_moments",
    "summarize",
]
