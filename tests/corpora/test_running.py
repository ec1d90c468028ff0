"""What long runs have in common."""

from pathlib import Path

import pytest

from benchmarks.running import RUNS, folder_of, parser_of


def test_other_choices_have_another_folder_and_the_same_have_the_same(
    tmp_path: Path,
) -> None:
    one = folder_of("vae", {"seed": 0, "hidden": 8}, tmp_path)
    assert one == folder_of("vae", {"hidden": 8, "seed": 0}, tmp_path)
    assert one != folder_of("vae", {"seed": 1, "hidden": 8}, tmp_path)
    assert one != folder_of("collapse", {"seed": 0, "hidden": 8}, tmp_path)
    assert one.parent == tmp_path
    assert folder_of("vae", {"seed": 0}).parent == RUNS


def test_a_run_is_long_unless_asked_and_says_what_it_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser = parser_of("benchmarks.this", "One line.\n\nMore.")
    chosen = parser.parse_args([])
    assert (chosen.quick, chosen.folder) == (False, RUNS)
    chosen = parser.parse_args(["--quick", "--folder", "here"])
    assert (chosen.quick, chosen.folder) == (True, Path("here"))
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    shown = capsys.readouterr().out
    assert "python -m benchmarks.this" in shown
    assert "One line." in shown
    assert "More" not in shown
