"""Grade notebooks as whoever runs this: JSON on standard input and output.

A program, so that the attacks can be run as root and as an ordinary user. It
needs NumPy, pyseccomp and nlp_dawn, nothing of the tests.
"""

import concurrent.futures
import json
import os
import sys

import numpy as np

from nlp_dawn.exercises.specification import Case, Group, Implement
from nlp_dawn.grading.grader import Deadlines, grade
from nlp_dawn.grading.sandbox import Limits, Sandbox
from nlp_dawn.grading.submissions import parse

#: Expected values and sources hold it; no worker may ever find it.
SECRET = "hidden-5d41402abc4b"
SEED = 7


def _softmax(x):  # hidden-5d41402abc4b
    e = np.exp(x - x.max())
    return e / e.sum()


def _kl(p, q):  # hidden-5d41402abc4b
    return float(np.sum(p * np.log(p / q)))


def _logits(rng):
    yield Case(args=(np.zeros(2),), group="plain", label="equal", public=True)
    for _ in range(3):
        yield Case(args=(rng.normal(size=4),), group="plain", label="any")
    yield Case(args=(np.array([1e4, 0.0]),), group="large", label="large")


def _pairs(rng):
    for _ in range(4):
        p, q = rng.dirichlet(np.ones(3), size=2)
        yield Case(args=(p, q), group="plain", label="any")


def _implement(name, signature, inputs, groups, reference):
    return Implement(
        name=name,
        title=name,
        signature=signature,
        inputs=inputs,
        scores=groups,
        reference=reference,
        concepts=("softmax-stable",),
        points=2,
        difficulty=1,
        minutes=5,
        hints=("one", "two", "three"),
    )


EXERCISES = (
    _implement(
        "softmax",
        "softmax(x)",
        _logits,
        (Group("plain", 1, "small logits"), Group("large", 1, "large logits")),
        _softmax,
    ),
    _implement(
        "kl", "kl(p, q)", _pairs, (Group("plain", 2, "distributions"),), _kl
    ),
)


def graded(content: str) -> dict[str, object]:
    """Return what came of each question of one notebook."""
    notebook = parse(content.encode(), "a.ipynb")
    report: dict[str, object] = {}
    for exercise in EXERCISES:
        done = grade(
            notebook,
            exercise,
            EXERCISES,
            SEED,
            given="import numpy as np\n",
            deadlines=Deadlines(call=2, question=8),
            limits=Limits(memory=1 << 30),
        )
        report[exercise.name] = {
            "points": done.result.points,
            "status": done.result.status,
            "message": done.result.message,
            "notes": done.run.notes,
            "printed": done.run.printed,
            "dropped": done.run.dropped,
            "seconds": done.run.seconds,
        }
    return report


def inventory(source: str) -> object:
    """Return what `source` leaves in `found`, run in a bare sandbox."""
    with Sandbox() as sandbox:
        run = {"op": "run", "name": "", "source": source, "answer": True}
        reply = sandbox.ask(run, seconds=20)
        if reply["outcome"] != "returned":
            return reply
        return sandbox.ask({"op": "read", "name": "found"}, seconds=5)["value"]


def main() -> None:
    """Grade all notebooks, and say as whom."""
    tasks = json.load(sys.stdin)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        reports = dict(
            zip(
                tasks["notebooks"],
                pool.map(graded, tasks["notebooks"].values()),
                strict=True,
            )
        )
    found = {name: inventory(code) for name, code in tasks["looks"].items()}
    report = {"uid": os.getuid(), "reports": reports, "looks": found}
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
