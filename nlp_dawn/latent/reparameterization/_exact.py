r"""What the estimators find on average, and how far they scatter, exactly.

For a polynomial, a sine and a step, everything that the estimators try to
find, and how far each of them scatters, has a closed form.
"""

import math
from dataclasses import dataclass

import numpy.typing as npt
from numpy.polynomial import Polynomial

from nlp_dawn.latent.reparameterization._arguments import coefficient_vector


@dataclass(frozen=True)
class Moments:
    """What estimators find on average and how far one sample scatters.

    Every pair is for the gradient by μ and the gradient by σ. All estimators
    but the naive one have the mean `gradient`, except where `pathwise_mean`
    differs from it.

    Attributes
    ----------
    value : float
        E f.
    gradient : (float, float)
        Its true gradient.
    pathwise_mean : (float, float)
        What the pathwise estimator finds.
    pathwise_variance : (float, float)
        Of one sample.
    score_variance : (float, float)
        Of one sample of the score-function estimator, without baseline.
    baseline : (float, float)
        The constant that makes its variance least.
    baseline_variance : (float, float)
        What the variance then is.
    """

    value: float
    gradient: tuple[float, float]
    pathwise_mean: tuple[float, float]
    pathwise_variance: tuple[float, float]
    score_variance: tuple[float, float]
    baseline: tuple[float, float]
    baseline_variance: tuple[float, float]


def _moments(
    value: float,
    gradient: tuple[float, float],
    pathwise: tuple[tuple[float, float], tuple[float, float]],
    score_squares: tuple[float, float],
    weighted: tuple[float, float],
    std: float,
) -> Moments:
    """Put moments together.

    `pathwise` are mean and second moment, `score_squares` is E[f² s²], and
    `weighted` is E[f s²] for the score s, all by μ and by σ.
    """
    squares = 1 / std**2, 2 / std**2  # E s²: E ε² = 1, E (ε² - 1)² = 2
    baseline = weighted[0] / squares[0], weighted[1] / squares[1]
    scores = [m - g**2 for m, g in zip(score_squares, gradient, strict=True)]
    # E[(f - b)² s²] = E[f² s²] - 2 b E[f s²] + b² E[s²], and b E[s²] = E[f s²].
    best = [
        v - b**2 * s for v, b, s in zip(scores, baseline, squares, strict=True)
    ]
    found, square = pathwise
    return Moments(
        value=value,
        gradient=gradient,
        pathwise_mean=found,
        pathwise_variance=(
            square[0] - found[0] ** 2,
            square[1] - found[1] ** 2,
        ),
        score_variance=(scores[0], scores[1]),
        baseline=baseline,
        baseline_variance=(best[0], best[1]),
    )


def polynomial_moments(
    coefficients: npt.ArrayLike, mean: float, std: float
) -> Moments:
    r"""Gradients and variances for a polynomial, by Gaussian moments.

    .. math:: z = \mu + \sigma\varepsilon, \qquad
        \mathbb E\,\varepsilon^{2k} = 1 \cdot 3 \cdots (2k - 1), \qquad
        \mathbb E\,\varepsilon^{2k+1} = 0

    For f = z², with r = μ²/σ²: the variances of score and pathwise gradient
    by μ are in the ratio (r² + 14 r + 15) / 4, never below 15/4.

    :concept:`reparameterization`

    Parameters
    ----------
    coefficients : (K + 1,)
        c, the constant first.
    mean, std : float
        μ, and σ > 0.

    Returns
    -------
    Moments
        Exact but for rounding.

    Raises
    ------
    ValueError
        If there is no vector of coefficients or σ is not positive.

    Examples
    --------
    >>> m = polynomial_moments([0, 0, 1], 1.5, 0.8)
    >>> round(m.gradient[0], 6), round(m.gradient[1], 6)
    (3.0, 1.6)
    >>> round(m.score_variance[0] / m.pathwise_variance[0], 4)
    19.1446
    """
    c = coefficient_vector(coefficients)
    _check(mean, std)
    noise = Polynomial([0.0, 1.0])
    f = Polynomial(c.astype(float))(mean + std * noise)
    slope = f.deriv() / std  # f'(z), as f has become a function of ε
    scores = noise / std, (noise**2 - 1) / std
    paths = slope, slope * noise
    found = _expect(paths[0]), _expect(paths[1])
    return _moments(
        _expect(f),
        found,
        (found, (_expect(paths[0] ** 2), _expect(paths[1] ** 2))),
        (_expect((f * scores[0]) ** 2), _expect((f * scores[1]) ** 2)),
        (_expect(f * scores[0] ** 2), _expect(f * scores[1] ** 2)),
        std,
    )


def sinusoid_moments(frequency: float, mean: float, std: float) -> Moments:
    r"""Gradients and variances for a sine, by the characteristic function.

    .. math:: \mathbb E\, e^{it\varepsilon} = e^{-t^2/2}, \qquad
        \mathbb E f = e^{-\omega^2\sigma^2/2} \sin\omega\mu

    With s = ωσ and c = :math:`e^{-2s^2}\cos 2\omega\mu`, the second moments of
    pathwise and score gradient by μ are

    .. math:: \frac{\omega^2}{2} (1 + c), \qquad
        \frac{1}{2\sigma^2} \big(1 - (1 - 4s^2)\, c\big).

    On average over the phase of the sine c vanishes: they are equal at
    ωσ = 1 (by σ, at :math:`\sqrt2`).

    :concept:`reparameterization`

    Parameters
    ----------
    frequency : float
        ω.
    mean, std : float
        μ, and σ > 0.

    Returns
    -------
    Moments
        Exact but for rounding.

    Raises
    ------
    ValueError
        If σ is not positive.

    Examples
    --------
    The samples see a small part of a slow sine, and many waves of a fast one:

    >>> m = sinusoid_moments(0.1, math.pi / 4, 1.0)
    >>> round(m.score_variance[0] / m.pathwise_variance[0])
    23113
    >>> m = sinusoid_moments(10.0, math.pi / 4, 1.0)
    >>> round(m.score_variance[0] / m.pathwise_variance[0], 2)
    0.01
    """
    _check(mean, std)
    s, phase = frequency * std, frequency * mean
    fade = math.exp(-(s**2) / 2)
    sine, cosine = math.sin(phase), math.cos(phase)
    gradient = (
        frequency * fade * cosine,
        -frequency * s * fade * sine,
    )
    # sin² and cos² of ωz are (1 ∓ cos 2ωz) / 2, and E[P(ε) cos 2ωz] is c times
    # a polynomial in t = 2s, for each polynomial P that occurs below.
    c = math.exp(-2 * s**2) * math.cos(2 * phase)
    t2 = 4 * s**2
    by_square = (1 - t2) * c  # P = ε²
    by_fourth = (t2**2 - 4 * t2 + 2) * c  # P = (ε² - 1)²
    return _moments(
        fade * sine,
        gradient,
        (
            gradient,
            (frequency**2 / 2 * (1 + c), frequency**2 / 2 * (1 + by_square)),
        ),
        ((1 - by_square) / (2 * std**2), (2 - by_fourth) / (2 * std**2)),
        (
            (1 - s**2) * fade * sine / std**2,
            (s**4 - 4 * s**2 + 2) * fade * sine / std**2,
        ),
        std,
    )


def sinusoid_crossover(mean: float, std: float, *, by: str = "mean") -> float:
    r"""Find the frequency from which on the score gradient scatters less.

    By μ, with s = ωσ, the variances are equal where

    .. math:: s^2 - 1 = (3s^2 - 1)\, e^{-2s^2} \cos 2\omega\mu ,

    near s = 1; by σ near :math:`s = \sqrt2`. Without the right side, which is
    what the phase of the sine adds, these are the solutions.

    :concept:`reparameterization`

    Parameters
    ----------
    mean, std : float
        μ, and σ > 0.
    by : {"mean", "std"}
        Which gradient.

    Returns
    -------
    float
        The last ω at which they are equal: beyond it, without a baseline, the
        score-function estimator is the better one.

    Raises
    ------
    ValueError
        If σ is not positive, or `by` is another word.

    Examples
    --------
    At ωμ = π/4 the phase adds nothing:

    >>> round(sinusoid_crossover(math.pi / 4, 1.0), 6)
    1.0
    """
    _check(mean, std)
    if by not in ("mean", "std"):
        raise ValueError(f"by is 'mean' or 'std', got {by!r}")
    which = 0 if by == "mean" else 1

    def path_minus_score(s: float) -> float:
        m = sinusoid_moments(s / std, mean, std)
        difference = m.pathwise_variance[which] - m.score_variance[which]
        return difference * std**2

    # For s ≥ 3 the right side is below 10⁻⁶: the path has lost. From there
    # backwards, in steps shorter than the cosine's waves.
    step = min(0.01, std / (20 * abs(mean) + 1e-300))
    high = 3.0
    while path_minus_score(high - step) > 0:
        high -= step
    low = high - step
    for _ in range(60):
        middle = (low + high) / 2
        if path_minus_score(middle) > 0:
            high = middle
        else:
            low = middle
    return high / std


def step_moments(threshold: float, mean: float, std: float) -> Moments:
    r"""Gradients and variances for a jump from 0 to 1.

    .. math::
        \mathbb E f = 1 - \Phi(a), \qquad
        \frac{\partial}{\partial\mu} \mathbb E f = \frac{\phi(a)}{\sigma}
        = q(t), \qquad a = \frac{t - \mu}{\sigma}

    The pathwise estimator finds 0: it misses the height of the jump times the
    density there.

    :concept:`reparameterization`

    Parameters
    ----------
    threshold : float
        t.
    mean, std : float
        μ, and σ > 0.

    Returns
    -------
    Moments
        Exact but for rounding; `pathwise_mean` is (0, 0).

    Raises
    ------
    ValueError
        If σ is not positive.

    Examples
    --------
    >>> m = step_moments(0.0, 0.0, 1.0)
    >>> m.value, round(m.gradient[0], 4), m.pathwise_mean[0]
    (0.5, 0.3989, 0.0)
    """
    _check(mean, std)
    a = (threshold - mean) / std
    density = math.exp(-(a**2) / 2) / math.sqrt(2 * math.pi)
    above = 0.5 * math.erfc(a / math.sqrt(2))
    # Integrals of ε² and of (ε² - 1)² times the density, from a to infinity.
    second = a * density + above
    fourth = (a**3 + a) * density + 2 * above
    weighted = second / std**2, fourth / std**2  # f² = f: the same for both
    return _moments(
        above,
        (density / std, a * density / std),
        ((0.0, 0.0), (0.0, 0.0)),
        weighted,
        weighted,
        std,
    )


def _expect(p: Polynomial) -> float:
    """Average a polynomial in ε over the standard normal distribution."""
    total, moment = 0.0, 1.0
    for k in range(0, len(p.coef), 2):
        total += float(p.coef[k]) * moment
        moment *= k + 1  # from E ε^k to E ε^(k + 2)
    return total


def _check(mean: float, std: float) -> None:
    if not (math.isfinite(mean) and math.isfinite(std) and std > 0):
        raise ValueError(
            f"mean must be finite and std positive, got mean {mean} and std "
            f"{std}"
        )
