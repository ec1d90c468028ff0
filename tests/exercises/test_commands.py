"""``nlp-dawn exercises``, as it is typed."""

import json

import pytest

from nlp_dawn.cli import main
from nlp_dawn.exercises import catalog, commands, notebook

KEY = "foundations/divergence"
RIGHT = "WHICH_DIRECTION = 'c'"


@pytest.fixture
def folder(tmp_path, monkeypatch, capsys):
    """A folder in which a reader has started chapter 1."""
    monkeypatch.chdir(tmp_path)
    assert main(["exercises", "start", "work", KEY]) == 0
    monkeypatch.chdir(tmp_path / "work")
    capsys.readouterr()
    return tmp_path / "work"


def path_of(folder):
    return folder / f"{KEY}.ipynb"


def answer(folder, name, source):
    """Write an answer as Jupyter would save it, outputs included."""
    path = path_of(folder)
    content = json.loads(path.read_text("utf-8"))
    for cell in content["cells"]:
        if cell["id"] == f"{name}-answer":
            cell["source"] = source
            cell["outputs"] = [
                {"output_type": "stream", "name": "stdout", "text": "hello"}
            ]
            cell["execution_count"] = 3
    path.write_text(json.dumps(content), encoding="utf-8")


def cell(folder, name):
    content = json.loads(path_of(folder).read_text("utf-8"))
    return next(c for c in content["cells"] if c["id"] == f"{name}-answer")


def typed(*words):
    return main(["exercises", *map(str, words)])


def solve_all(folder):
    for name, section in notebook.read_chapter(KEY).items():
        answer(folder, name, section.answer)


def test_start_copies_every_chapter(tmp_path, capsys):
    assert typed("start", tmp_path / "all") == 0
    out = capsys.readouterr().out
    for key in catalog.chapters():
        copied = (tmp_path / "all" / f"{key}.ipynb").read_bytes()
        assert copied == (catalog.folder() / f"{key}.ipynb").read_bytes()
        assert key in out
    assert "jupyter lab" in out


def test_start_overwrites_nothing(folder, capsys):
    answer(folder, "which_direction", RIGHT)
    before = path_of(folder).read_bytes()
    assert typed("start", folder) == 0
    assert path_of(folder).read_bytes() == before
    assert (folder / "foundations" / "classification.ipynb").exists()
    out = capsys.readouterr().out
    assert "kept" in out
    assert "new " in out
    assert "unchanged" in out


def test_start_writes_nothing_for_an_unknown_chapter(tmp_path, capsys):
    assert typed("start", tmp_path / "new", KEY, "foundations/divergance") == 1
    assert not (tmp_path / "new").exists()
    assert "Did you mean 'foundations/divergence'" in capsys.readouterr().err


def test_start_says_what_stands_in_the_way(tmp_path, capsys):
    (tmp_path / "foundations").write_text("a file")
    assert typed("start", tmp_path, KEY) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert (tmp_path / "foundations").read_text() == "a file"


def test_list_shows_how_far_the_reader_is(folder, capsys):
    answer(folder, "which_direction", RIGHT)
    answer(folder, "best_sigma", "BEST_SIGMA = 4")
    answer(
        folder, "kl_divergence", "def kl_divergence(p, q):\n    return 0 * p"
    )
    assert typed("list") == 0
    lines = {
        line.split()[0]: line
        for line in capsys.readouterr().out.splitlines()
        if line.strip()
    }
    assert lines["which_direction"].endswith("✓ done")
    assert "★☆☆    3 min   1 pt" in lines["which_direction"]
    assert lines["best_sigma"].endswith("✗ 0 of 2 points")
    assert lines["kl_from_logits"].endswith("– to do")
    assert lines["logsumexp"].endswith("– not started")
    assert lines["1"].startswith("1 of ")


def test_list_without_notebooks_says_how_to_start(tmp_path, capsys):
    assert typed("list", "--in", tmp_path) == 0
    out = capsys.readouterr().out
    assert "kl_divergence" in out
    assert "nlp-dawn exercises start DIR" in out


def test_next_goes_through_the_exercises_in_order(folder, capsys):
    assert typed("next") == 0
    assert "which_direction in" in capsys.readouterr().out
    answer(folder, "which_direction", RIGHT)
    assert typed("next") == 0
    out = capsys.readouterr().out
    assert "kl_divergence in" in out
    assert "The divergence of two tables" in out
    solve_all(folder)
    assert typed("next") == 0
    assert "All done" in capsys.readouterr().out


def test_next_without_notebooks_is_an_error(tmp_path, capsys):
    assert typed("next", "--in", tmp_path) == 1
    assert "nlp-dawn exercises start DIR" in capsys.readouterr().err


def test_hint_shows_one_hint_and_how_to_get_the_next(capsys):
    hints = catalog.find("kl_divergence").hints
    assert typed("hint", "kl_divergence") == 0
    out = capsys.readouterr().out
    assert hints[0] in out
    assert "nlp-dawn exercises hint kl_divergence 2" in out
    assert typed("hint", "kl_divergence", 3) == 0
    out = capsys.readouterr().out
    assert hints[2] in out
    assert "More" not in out
    assert typed("hint", "kl_divergense") == 1
    assert "Did you mean" in capsys.readouterr().err


def test_reset_puts_the_stub_back_and_keeps_the_answer(folder, capsys):
    stub = cell(folder, "kl_divergence")["source"]
    for number, text in enumerate(["mine = 1", "mine = 2\n"], 1):
        answer(folder, "kl_divergence", text)
        assert typed("reset", "kl_divergence") == 0
        restored = cell(folder, "kl_divergence")
        assert restored["source"] == stub
        assert restored["outputs"] == []
        assert restored["execution_count"] is None
        kept = folder / "foundations" / f"divergence.kl_divergence.{number}.py"
        assert kept.read_text() == text.strip() + "\n"
        assert kept.name in capsys.readouterr().out


def test_reset_leaves_the_other_answers_alone(folder):
    answer(folder, "which_direction", RIGHT)
    answer(folder, "kl_divergence", "mine")
    assert typed("reset", "kl_divergence") == 0
    assert cell(folder, "which_direction")["source"] == RIGHT
    names = sorted(p.name for p in (folder / "foundations").iterdir())
    assert names == ["divergence.ipynb", "divergence.kl_divergence.1.py"]


def test_reset_of_an_untouched_exercise_changes_nothing(folder, capsys):
    before = path_of(folder).read_bytes()
    assert typed("reset", "kl_divergence") == 0
    assert path_of(folder).read_bytes() == before
    assert "nothing to do" in capsys.readouterr().out


def test_reset_needs_exactly_one_notebook(folder, capsys):
    assert typed("reset", "logsumexp") == 1
    assert "no notebook of foundations/classification" in (
        capsys.readouterr().err
    )
    (folder / "copy.ipynb").write_bytes(path_of(folder).read_bytes())
    assert typed("reset", "kl_divergence") == 1
    assert "several notebooks" in capsys.readouterr().err


def test_reset_finds_a_cell_that_lost_its_metadata(folder):
    answer(folder, "kl_divergence", "def kl_divergence(p, q):\n    return 1")
    content = json.loads(path_of(folder).read_text("utf-8"))
    for one in content["cells"]:
        one["metadata"] = {}
    path_of(folder).write_text(json.dumps(content), encoding="utf-8")
    assert typed("reset", "kl_divergence") == 0
    source = "".join(cell(folder, "kl_divergence")["source"])
    assert source.rstrip().endswith("...")


def test_check_passes_when_everything_is_right(folder, capsys):
    solve_all(folder)
    assert typed("check") == 0
    out = capsys.readouterr().out
    assert "6 of 6 exercises right, 19 of 19 points" in out


def test_check_says_what_is_wrong_and_fails(folder, capsys):
    answer(
        folder,
        "kl_divergence",
        "def kl_divergence(p, q):\n    return np.sum(p * np.log(p / q), -1)",
    )
    assert typed("check", path_of(folder)) == 1
    out = capsys.readouterr().out
    assert "✗ kl_divergence: not yet right, 3 of 5 points." in out
    assert catalog.find("kl_divergence").sentences()["zero_times_log"][:40] in (
        " ".join(out.split())
    )
    assert "nlp-dawn exercises hint kl_divergence" in out
    assert "… best_sigma: 0 of 2 points." in out


def test_check_repeats_its_inputs_with_the_seed(folder, capsys):
    answer(folder, "kl_divergence", "def kl_divergence(p, q):\n    return p[0]")
    typed("check", "--seed", 3)
    first = capsys.readouterr().out
    typed("check", "--seed", 3)
    assert capsys.readouterr().out == first
    assert "--seed 3" in first


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe", "not a notebook"),
        (b'{"cells": [', "not a notebook"),
        (b"[]", "no cells"),
        (b'{"cells": [1]}', "no cells"),
        (b'{"cells": []}', "names no chapter"),
        (b'{"cells": [], "metadata": {"nlp_dawn": 1}}', "names no chapter"),
        (b'{"cells": [], "metadata": 1}', "names no chapter"),
        (
            b'{"cells": [], "metadata": {"nlp_dawn": {"chapter": ["a"]}}}',
            "names no chapter",
        ),
        (b"[" * 100_000, "not a notebook"),
    ],
)
def test_check_refuses_what_is_no_notebook_of_ours(
    tmp_path, capsys, content, words
):
    path = tmp_path / "odd.ipynb"
    path.write_bytes(content)
    assert typed("check", path) == 1
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1


def test_check_of_a_missing_file_or_an_empty_folder(tmp_path, capsys):
    assert typed("check", tmp_path / "none.ipynb") == 1
    assert "there is no such file" in capsys.readouterr().err
    assert typed("check", tmp_path) == 1
    assert "nlp-dawn exercises start DIR" in capsys.readouterr().err


def test_other_notebooks_in_the_folder_are_passed_over(folder):
    (folder / "diary.ipynb").write_text('{"cells": []}')
    (folder / "broken.ipynb").write_text("{")
    assert typed("next") == 0


def test_build_finds_everything_up_to_date(capsys):
    assert typed("build", "--check") == 0
    assert "up to date" in capsys.readouterr().out


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A checkout whose notebooks may be changed."""
    root = notebook.checkout()
    (tmp_path / "solutions").symlink_to(root / "solutions")
    (tmp_path / "_toc.yml").symlink_to(root / "_toc.yml")
    (tmp_path / "exercises").mkdir()
    monkeypatch.setattr(notebook, "checkout", lambda: tmp_path)
    return tmp_path


def test_build_writes_what_is_missing_or_stale(copied, capsys):
    assert typed("build", "--check") == 1
    assert "foundations/divergence.ipynb" in capsys.readouterr().err
    assert not list((copied / "exercises").iterdir())
    assert typed("build") == 0
    assert typed("build", "--check") == 0
    path = copied / "exercises" / f"{KEY}.ipynb"
    right = path.read_bytes()
    path.write_bytes(right.replace(b"nats", b"bits"))
    assert typed("build", "--check") == 1
    assert typed("build") == 0
    assert path.read_bytes() == right


def test_build_never_overwrites_a_notebook_that_was_run(copied, capsys):
    typed("build")
    path = copied / "exercises" / f"{KEY}.ipynb"
    content = json.loads(path.read_text("utf-8"))
    content["cells"][1]["execution_count"] = 1
    path.write_text(json.dumps(content), encoding="utf-8")
    before = path.read_bytes()
    assert typed("build") == 1
    assert path.read_bytes() == before
    assert "move it away" in capsys.readouterr().err


def test_build_refuses_a_notebook_that_nothing_generates(copied, capsys):
    typed("build")
    stray = copied / "exercises" / "foundations" / "mine.ipynb"
    stray.write_text("{}")
    for words in (["build"], ["build", "--check"]):
        assert typed(*words) == 1
        assert "foundations/mine.ipynb" in capsys.readouterr().err
    assert stray.exists()


def test_build_needs_a_checkout(monkeypatch, tmp_path, capsys):
    fake = tmp_path / "nlp_dawn" / "exercises" / "notebook.py"
    monkeypatch.setattr(notebook, "__file__", str(fake))
    assert typed("build") == 1
    assert "needs a checkout" in capsys.readouterr().err


def test_every_action_has_a_line_of_help(capsys):
    with pytest.raises(SystemExit) as ended:
        typed("--help")
    assert ended.value.code == 0
    out = capsys.readouterr().out
    for action in ["start", "list", "next", "hint", "check", "reset", "build"]:
        assert f"    {action} " in out


def test_the_seed_is_fresh():
    assert len({commands._fresh_seed() for _ in range(5)}) > 1
