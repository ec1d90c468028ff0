"""Pages run several at a time before Sphinx reads them, and once."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("myst_nb", reason="the book's packages are not installed")

from myst_nb.core.config import NbParserConfig
from myst_parser.config.main import MdParserConfig

from nlp_dawn.site import execution

PAGE = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  name: python3
---

# A page

```{code-cell} ipython3
print("KEY")
```
"""


@pytest.fixture
def env(tmp_path: Path) -> Any:
    """Return of Sphinx what is asked of it: three pages, one without cells."""
    for key in "ab":
        page = PAGE.replace("KEY", key)
        (tmp_path / f"{key}.md").write_text(page, "utf-8")
    (tmp_path / "text.md").write_text("# Text\n", "utf-8")
    return SimpleNamespace(
        doc2path=lambda name: str(tmp_path / f"{name}.md"),
        myst_config=MdParserConfig(),
        mystnb_config=NbParserConfig(
            execution_mode="cache",
            execution_cache_path=str(tmp_path / "cache"),
            execution_timeout=60,
        ),
    )


class Pretended:
    """Stands for the kernels: notes which pages run, and lets some fail."""

    def __init__(self) -> None:
        self.pages: list[str] = []
        self.failing: set[str] = set()

    def run(self, notebook: Any, path: str, timeout: int) -> Any:
        """See `execution._run`."""
        name = Path(path).stem
        self.pages.append(name)
        error = ValueError(name) if name in self.failing else None
        return SimpleNamespace(err=error, time=1.5)


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Pretended:
    """Run nothing, on two processors."""
    pretended = Pretended()
    monkeypatch.setattr(execution, "_run", pretended.run)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    return pretended


def test_every_page_with_cells_runs_once(
    env: Any, kernels: Pretended, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["a", "b", "text"]
    assert sorted(execution.run_pages(env, names)) == ["a", "b"]
    assert sorted(kernels.pages) == ["a", "b"]
    said = capsys.readouterr().out
    assert "running 2 pages, 2 at a time" in said
    assert "a ran in 1.5 s" in said
    # The results are in the cache now.
    assert execution.run_pages(env, names) == []
    assert len(kernels.pages) == 2


def test_a_changed_page_alone_is_left_to_sphinx(
    env: Any, kernels: Pretended, tmp_path: Path
) -> None:
    execution.run_pages(env, ["a", "b"])
    page = tmp_path / "a.md"
    page.write_text(page.read_text("utf-8").replace('"a"', '"c"'), "utf-8")
    assert execution.run_pages(env, ["a", "b"]) == []
    assert len(kernels.pages) == 2


def test_a_page_that_fails_is_run_again_by_sphinx(
    env: Any, kernels: Pretended, capsys: pytest.CaptureFixture[str]
) -> None:
    kernels.failing.add("b")
    assert execution.run_pages(env, ["a", "b"]) == ["a"]
    assert "b failed in 1.5 s" in capsys.readouterr().out


def test_without_a_cache_nothing_runs_ahead(
    env: Any, kernels: Pretended
) -> None:
    env.mystnb_config = NbParserConfig(execution_mode="off")
    assert execution.run_pages(env, ["a", "b"]) == []
    assert kernels.pages == []
