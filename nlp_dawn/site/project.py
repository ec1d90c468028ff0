"""Where the book's parts lie in a checkout, and what its plan says."""

import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any


class ProjectError(Exception):
    """Something in the book's own files is wrong; one sentence says what."""


@dataclass(frozen=True)
class Part:
    """A part of the book: its folder and its title."""

    key: str
    title: str


@dataclass(frozen=True)
class Chapter:
    """A planned or written chapter, found under `key` in every wing."""

    key: str
    number: int
    title: str
    needs: tuple[int, ...]

    @property
    def part(self) -> str:
        """The folder that the chapter lies in."""
        return self.key.split("/")[0]

    @property
    def module(self) -> str:
        """The name of the chapter's concept module."""
        return "nlp_dawn." + self.key.replace("/", ".")


@dataclass(frozen=True)
class Concept:
    """One row of ``book/concepts.toml``."""

    slug: str
    english: str
    chinese: str
    chapter: str
    notes: str
    errata: tuple[str, ...] = ()
    #: Columns of the concordance that this concept cannot fill, by design
    #: (a concept that is only discussed has no function).
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Erratum:
    """One row of ``book/errata.toml``."""

    id: str
    notes: str
    says: str
    correct: str
    #: The test that fails for the wrong version, as pytest names it.
    test: str


@dataclass(frozen=True)
class Project:
    """A checkout of the book."""

    root: Path

    @property
    def book(self) -> Path:
        """The folder of the pages."""
        return self.root / "book"

    @cached_property
    def _plan(self) -> dict[str, Any]:
        return _read_toml(self.book / "chapters.toml")

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The parts, in order."""
        return tuple(Part(**row) for row in self._plan["part"])

    @cached_property
    def chapters(self) -> tuple[Chapter, ...]:
        """The chapters, in order, whether they are written or not."""
        return tuple(
            Chapter(**{**row, "needs": tuple(row["needs"])})
            for row in self._plan["chapter"]
        )

    @cached_property
    def concepts(self) -> tuple[Concept, ...]:
        """The concepts, in the order of ``book/concepts.toml``."""
        path = self.book / "concepts.toml"
        known = {"slug", "english", "chinese", "chapter", "notes"}
        concepts = []
        for row in _read_toml(path).get("concept", []):
            missing = known - row.keys()
            unknown = row.keys() - known - {"errata", "without"}
            if missing or unknown:
                raise ProjectError(
                    f"book/concepts.toml: the concept {row.get('slug')!r} "
                    f"lacks {sorted(missing)} or has the unknown field(s) "
                    f"{sorted(unknown)}"
                )
            row["errata"] = tuple(row.get("errata", ()))
            row["without"] = tuple(row.get("without", ()))
            concepts.append(Concept(**row))
        return tuple(concepts)

    @cached_property
    def errata(self) -> tuple[Erratum, ...]:
        """The errata whose text is written, by number."""
        path = self.book / "errata.toml"
        if not path.exists():
            return ()
        rows = [Erratum(**row) for row in _read_toml(path).get("erratum", [])]
        return tuple(sorted(rows, key=lambda row: row.id))

    @cached_property
    def repository(self) -> str:
        """The public home of the repository, or nothing."""
        return str(self._settings.get("repository", "")).rstrip("/")

    @cached_property
    def site(self) -> str:
        """The public address of the site with a slash at its end, or nothing.

        It is the setting of that name. Without it, a repository on GitHub has
        its pages where GitHub puts them.
        """
        address = str(self._settings.get("site", "")).rstrip("/")
        home = re.fullmatch(
            r"https://github\.com/([^/]+)/([^/]+)", self.repository
        )
        if not address and home:
            owner, name = home[1].lower(), home[2]
            address = f"https://{owner}.github.io"
            if name.lower() != f"{owner}.github.io":
                address += f"/{name}"
        return f"{address}/" if address else ""

    @cached_property
    def _settings(self) -> dict[str, Any]:
        settings = _read_toml(self.root / "pyproject.toml")
        tool: dict[str, Any] = settings.get("tool", {}).get("nlp_dawn", {})
        return tool

    def page(self, key: str) -> Path:
        """Where the chapter `key` is, or will be, written."""
        return self.book / f"{key}.md"

    def is_written(self, key: str) -> bool:
        """Whether the chapter `key` has a page."""
        planned = any(chapter.key == key for chapter in self.chapters)
        return planned and self.page(key).exists()

    def written(self) -> list[Chapter]:
        """Return the chapters that have a page."""
        return [c for c in self.chapters if self.is_written(c.key)]

    def chapter(self, key: str) -> Chapter:
        """Return the chapter called `key`."""
        for chapter in self.chapters:
            if chapter.key == key:
                return chapter
        raise ProjectError(f"book/chapters.toml has no chapter {key!r}")


def find_project(start: Path | None = None) -> Project | None:
    """Return the checkout around `start` (the working folder), if any."""
    folder = (start or Path.cwd()).resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / "_config.yml").is_file() and (
            candidate / "book" / "chapters.toml"
        ).is_file():
            return Project(candidate)
    return None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ProjectError(f"{path.name} is missing: {path}") from None
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(f"{path.name} is not valid TOML: {error}") from None
