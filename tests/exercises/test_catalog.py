"""Finding exercises by name."""

import subprocess
import sys

import pytest

from nlp_dawn.exercises import catalog
from nlp_dawn.exercises.catalog import UnknownExerciseError


def test_chapters_come_in_the_order_of_the_book():
    chapters = list(catalog.chapters())
    assert chapters.index("foundations/divergence") < chapters.index(
        "foundations/classification"
    )


def test_a_bare_name_and_the_full_id_find_the_same_exercise():
    exercise = catalog.find("kl_divergence")
    assert exercise.name == "kl_divergence"
    assert catalog.find("foundations/divergence:kl_divergence") is exercise
    assert (
        catalog.full_id("kl_divergence")
        == "foundations/divergence:kl_divergence"
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("kl_divergense", "Did you mean 'kl_divergence'?"),
        ("foundations/divergence:logsumexp", "no exercise"),
        ("foundations/divergance:kl_divergence", "'foundations/divergence'"),
        ("", "no exercise ''"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, words):
    with pytest.raises(UnknownExerciseError) as caught:
        catalog.find(name)
    assert words in str(caught.value)


def test_a_chapter_is_loaded_when_it_is_asked_for():
    source = (
        "import sys\n"
        "from nlp_dawn.exercises import catalog\n"
        "catalog.chapters()\n"
        "assert 'nlp_dawn.foundations' not in sys.modules\n"
        "catalog.find('foundations/divergence:kl_divergence')\n"
        "assert 'nlp_dawn.foundations.divergence' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", source], check=True)
