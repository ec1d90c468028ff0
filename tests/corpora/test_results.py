"""Results of runs: the committed ones, the format, writing and reading."""

import copy
import getpass
import json
import platform
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import recording
from benchmarks.recording import RESULTS, Recording
from nlp_dawn import corpora
from nlp_dawn.corpora import CorpusError, _load, _results

COMMITTED = sorted(RESULTS.rglob("*.json"))
ROOT = RESULTS.parents[1]


@pytest.mark.parametrize(
    "path", COMMITTED, ids=[path.stem for path in COMMITTED]
)
def test_a_committed_result_is_whole_and_says_how_to_make_it_again(
    path: Path,
) -> None:
    result = json.loads(path.read_text(encoding="utf-8"))
    _results.validate(result)
    assert path == RESULTS / f"{result['name']}.json"
    module = result["command"].removeprefix("python -m ").split()[0]
    assert (ROOT / f"{module.replace('.', '/')}.py").is_file()
    assert corpora.results(result["name"]) == result
    assert result["commit"], "made outside a checkout"


def test_there_are_committed_results() -> None:
    names = {path.stem for path in COMMITTED}
    assert "classification.softmax_classifier" in names
    assert {"classification.bench", "divergence.bench"} <= names


def test_a_committed_result_knows_the_texts_as_they_are_loaded() -> None:
    run = corpora.results("foundations/classification.softmax_classifier")
    assert run["data"] == {
        file.path: file.sha256 for file in _load.files("sentence_polarity")
    }


def begin(**changes: Any) -> Recording:
    settings: dict[str, Any] = {
        "title": "Nothing, to see that it is written down",
        "command": "python -m benchmarks.part.run_chapter",
        "seed": 3,
        "settings": {"rounds": 2},
    }
    return Recording("part/chapter.run", **(settings | changes))


@pytest.fixture
def result() -> dict[str, Any]:
    return begin().result({"accuracy": 0.5})


def test_a_result_is_whole(result: dict[str, Any]) -> None:
    _results.validate(result)
    assert result["figures"] == {"accuracy": 0.5}
    assert result["seed"] == 3
    assert result["versions"]["python"] == platform.python_version()
    assert result["threads"], "NumPy's BLAS is a pool of threads"
    assert result["machine"]["cores"] >= 1


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda result: result.pop(key)


def put(*keys: str, value: Any) -> Callable[[dict[str, Any]], object]:
    def change(result: dict[str, Any]) -> None:
        for key in keys[:-1]:
            result = result[key]
        result[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (without("seed"), ValueError, "lacks seed"),
        (without("machine"), ValueError, "lacks machine"),
        (put("mood", value=1), ValueError, "unknown mood"),
        (put("format", value=2), ValueError, "format must be 1, got 2"),
        (put("format", value=True), TypeError, "format"),
        (put("name", value="run"), ValueError, "got 'run'"),
        (put("name", value="../part/run.x"), ValueError, "name must be"),
        (put("date", value="yesterday"), ValueError, "got 'yesterday'"),
        (put("date", value="2026-01-31"), ValueError, "date must look like"),
        (put("duration_seconds", value=-1), ValueError, "-1"),
        (put("duration_seconds", value="long"), TypeError, "'long'"),
        (put("command", value="make run"), ValueError, "'make run'"),
        (put("commit", value="abc"), ValueError, "40 hexadecimal digits"),
        (put("machine", "cores", value="2"), TypeError, "cores of machine"),
        (put("machine", "host", value="box"), ValueError, "unknown host"),
        (put("threads", value=[{}]), ValueError, "a pool in threads lacks"),
        (put("versions", value={"numpy": "2"}), ValueError, "python and numpy"),
        (put("versions", "numpy", value=2), TypeError, "numpy"),
        (put("data", value={"a.txt": "0"}), ValueError, "64 hexadecimal"),
        (put("figures", value={}), ValueError, "must not be empty"),
        (put("figures", "x", value=float("nan")), ValueError, "/figures/x"),
        (put("figures", "x", value=[1e999]), ValueError, "/figures/x/0"),
        (put("figures", value={1: 2}), TypeError, "no string"),
        (put("figures", "x", value={1, 2}), TypeError, "got set"),
        (put("settings", "in", value="/home/me/x"), ValueError, "tells a path"),
        (put("title", value="read from ~/data"), ValueError, "tells a path"),
        (put("title", value=r"see C:\Users\me"), ValueError, "tells a path"),
    ],
)
def test_a_result_that_is_not_right_is_refused_with_a_reason(
    change: Callable[[dict[str, Any]], object],
    kind: type[Exception],
    message: str,
    result: dict[str, Any],
) -> None:
    change(result)
    with pytest.raises(kind, match=message):
        _results.validate(result)


def test_only_an_object_is_a_result() -> None:
    with pytest.raises(TypeError, match="the result must be an object"):
        _results.validate([])


def test_a_word_with_a_stroke_is_no_path(result: dict[str, Any]) -> None:
    result["figures"] = {"ours/theirs": "and/or", "words": ["/", "n/a"]}
    _results.validate(result)


def test_nothing_in_a_result_tells_whose_machine_it_was(
    result: dict[str, Any],
) -> None:
    text = json.dumps(result)
    names = {socket.gethostname(), platform.node()}
    assert not [name for name in names if name and name in text]
    assert str(ROOT) not in text
    assert f"/{getpass.getuser()}/" not in text
    assert "filepath" not in text


def test_a_result_is_written_where_its_name_says(tmp_path: Path) -> None:
    path = begin().write({"accuracy": 0.123456789}, tmp_path)
    assert path == tmp_path / "part" / "chapter.run.json"
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["figures"] == {"accuracy": 0.123457}
    assert path.read_bytes().endswith(b"}\n")


def test_a_run_that_fails_keeps_the_former_result(tmp_path: Path) -> None:
    path = begin().write({"accuracy": 0.5}, tmp_path)
    former = path.read_bytes()
    with pytest.raises(ValueError, match="no such number"):
        begin().write({"accuracy": float("nan")}, tmp_path)
    assert path.read_bytes() == former
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_disk_that_is_full_keeps_the_former_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = begin().write({"accuracy": 0.5}, tmp_path)
    former = path.read_bytes()

    def full(self: Path, *_: Any, **__: Any) -> None:
        self.write_bytes(b"{")
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="no space left"):
        begin().write({"accuracy": 0.6}, tmp_path)
    assert path.read_bytes() == former
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_outside_a_checkout_no_commit_is_claimed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")  # no git to ask
    assert recording.checkout() == (None, None)
    _results.validate(begin().result({"accuracy": 0.5}))


def put_results(folder: Path, **files: str) -> Path:
    (folder / "part").mkdir(parents=True)
    for stem, text in files.items():
        name = f"{stem.replace('__', '.')}.json"
        (folder / "part" / name).write_text(text, encoding="utf-8")
    return folder


def test_the_results_in_the_package_go_before_those_of_a_checkout(
    tmp_path: Path, result: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = copy.deepcopy(result) | {"seed": 4}
    packaged = put_results(tmp_path / "a", chapter__run=json.dumps(result))
    checkout = put_results(tmp_path / "b", chapter__run=json.dumps(other))
    monkeypatch.setattr(_results, "_folders", lambda: [packaged, checkout])
    assert corpora.results("part/chapter.run")["seed"] == 3


def test_a_result_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(CorpusError) as caught:
        corpora.results("foundations/classification.softmax")
    near = "foundations/classification.softmax_classifier"
    assert f"did you mean {near!r}?" in str(caught.value)
    assert "python -m benchmarks." in str(caught.value)


def test_without_any_results_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_results, "_folders", lambda: [])
    with pytest.raises(CorpusError, match="There are: none"):
        corpora.results("part/chapter.run")


@pytest.mark.parametrize("text", ["{", "{}", "[]"])
def test_a_damaged_result_says_how_to_make_it_again(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put_results(tmp_path / "a", chapter__run=text)
    monkeypatch.setattr(_results, "_folders", lambda: [folder])
    with pytest.raises(
        CorpusError, match=r"damaged.*python -m benchmarks\.part\.run_chapter"
    ):
        corpora.results("part/chapter.run")


def test_the_name_of_a_result_must_be_a_string() -> None:
    with pytest.raises(TypeError, match="got NoneType"):
        corpora.results(None)  # type: ignore[arg-type]
