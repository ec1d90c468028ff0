"""Three figures that use all that a figure can have.

The tests run this file in a book page and in a notebook alike.
"""

import numpy as np

from nlp_dawn.figures import style

WORDS = ["film", "movie", "story", "cast", "potato"]
SCORES = np.array([3.0, 2.5, 1.0, 0.5, -2.0])


def softmax(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def draw_temperature(axes, temperature, data=SCORES):
    p = softmax(data / temperature)
    style.draw_distribution(axes, WORDS, p=p)
    # Sentences may differ in length; the figure must not differ in height.
    more = " The first has it all, no other is left." if p[0] > 0.99 else ""
    return (
        f"At temperature {temperature:.3f} the first word has probability "
        f"{p[0]:.4f} and the last {p[-1]:.4f}.{more}"
    )


def normal(x, mean, std):
    return np.exp(-(((x - mean) / std) ** 2) / 2) / (std * np.sqrt(2 * np.pi))


def draw_two_panels(axes, mean, swap):
    x = np.linspace(-6, 6, 201)
    p = (normal(x, -2, 0.7) + normal(x, 2, 0.7)) / 2
    q = normal(x, mean, 1.0)
    a, b = (q, p) if swap else (p, q)
    terms = a * np.log(a / b)
    value = terms.sum() * (x[1] - x[0])
    style.draw_density(axes[0], x, p, "p", label="target p")
    style.draw_density(axes[0], x, q, "q", label="model q")
    axes[0].set(xlabel="x", ylabel="density", ylim=(0, 0.6))
    axes[0].legend(loc="upper left")
    axes[1].fill_between(x, terms, color=style.ACCENT, linewidth=0)
    axes[1].set(xlabel="x", ylabel="nats per unit of x", ylim=(-0.3, 2.5))
    name = "KL(q‖p)" if swap else "KL(p‖q)"
    return f"With the mean at {mean:+.2f}, {name} is {value:.4f} nats."


def draw_decay(axes, power, axis, 词):
    x = np.geomspace(1, 1e4, 60)
    axes.plot(x, x**-power, color=style.GREEN, label=词)
    if axis == "logarithmic":
        style.log_axis(axes.xaxis)
        style.log_axis(axes.yaxis)
    axes.set(xlabel="排名 rank", ylabel="频率 frequency", ylim=(1e-8, 1.5))
    axes.legend(loc="lower left")
    return f"{词}, {axis} axes: {100.0**-power:.2e} at rank 100."


FIGURES = [
    {
        "draw": draw_temperature,
        "id": "demo-temperature",
        "title": "The same scores at every temperature",
        "alt": "Bar chart of the probabilities of five words.",
        "concepts": ("softmax-stable",),
        "labels": {"temperature": "temperature T"},
        "start": {"temperature": 1.0},
        "temperature": np.geomspace(0.01, 100, 25),
    },
    {
        "draw": draw_two_panels,
        "id": "demo-fit",
        "title": "A model between two bumps, and what it costs",
        "alt": "Two panels: target and model, and the integrand.",
        "concepts": ("kl-forward", "kl-reverse"),
        "panels": 2,
        "labels": {"mean": "mean of q", "swap": "swap the arguments"},
        "start": {"mean": 0.6, "swap": False},
        "mean": np.linspace(-3, 3, 11),
        "swap": [False, True],
    },
    {
        "draw": draw_decay,
        "id": "demo-decay",
        "title": "Power laws 幂律",
        "alt": "A falling curve.",
        "labels": {"axis": "axes", "词": "word 词"},
        "power": [0.5, 1.0],
        "axis": ["plain", "logarithmic"],
        "词": ["的", "了", "是", "我", "不", "在"],
    },
]
