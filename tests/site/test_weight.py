"""A page is light, and its text is there before any script has run.

One first visit of every page over the local server, which compresses as a
host of static pages does. All scripts are held back until the text is there.
"""

import pytest

pytestmark = pytest.mark.browser

#: Compressed bytes of a first visit, without fonts.
MOST = 400_000


def test_a_page_is_light(toured, built_page, record_property):
    record_property("weight", toured.weight)
    assert 0 < toured.weight["html"] <= toured.weight["sum"] <= MOST


def test_a_page_is_readable_before_its_scripts(toured, built_page):
    early = toured.early
    if early is None:
        return  # a form, or a page that only forwards
    assert early["painted"]
    assert early["waiting"] >= 1
    assert not early["complete"]
    assert early["formula"] is None or early["formula"] > 50


def test_nothing_moves_when_figures_and_exercises_wake_up(toured, built_page):
    before, after = toured.places
    assert before == after
    assert len(before) >= 1 or toured.early is None
