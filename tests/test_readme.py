"""What README and CONTRIBUTING tell people to type is there."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from nlp_dawn import __version__, cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["README.md", "CONTRIBUTING.md"]


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def make_targets():
    (line,) = re.findall(r"^\.PHONY: (.+)$", text_of("Makefile"), re.M)
    return set(line.split())


@pytest.mark.parametrize("page", PAGES)
def test_every_make_command_is_a_target(page):
    asked = re.findall(
        r"(?:^|`|\s)make((?: [a-z][a-z-]+)+)(?=[`\s]|$)",
        "\n".join(commands_in(page)),
    )
    names = {name for words in asked for name in words.split()}
    assert names
    assert names <= make_targets()


def commands_in(page):
    """Return the lines of code blocks and what stands between backticks."""
    text = text_of(page)
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.M | re.S)
    inline = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line.split("#")[0] for line in lines + inline]


@pytest.mark.parametrize("page", PAGES)
def test_every_nlp_dawn_command_exists(page, capsys):
    lines = "\n".join(commands_in(page))
    asked = set(re.findall(r"nlp-dawn ([a-z]+)(?: ([a-z]+)\b)?", lines))
    assert asked
    for command, word in sorted(asked):
        assert command in cli.COMMANDS, command
        with pytest.raises(SystemExit) as stopped:
            cli.main([command, "--help"])
        assert stopped.value.code == 0
        actions = re.findall(
            r"^    ([a-z]+) ", capsys.readouterr().out, flags=re.M
        )
        assert not (word and actions) or word in actions, f"{command} {word}"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_into_the_repository_leads_somewhere(page):
    targets = re.findall(r"""(?:\]\(|src="|srcset=")([^)"#]+)""", text_of(page))
    inside = [one for one in targets if not re.match(r"[a-z]+:", one)]
    assert not [one for one in inside if not (ROOT / one).is_file()]
    anchors = re.findall(r"\]\(#([\w-]+)\)", text_of(page))
    titles = re.findall(r"^#+ (.+)$", text_of(page), re.M)
    assert set(anchors) <= {title.lower().replace(" ", "-") for title in titles}


def test_the_citation_agrees_with_the_package():
    citation = yaml.safe_load(text_of("CITATION.cff"))
    project = tomllib.loads(text_of("pyproject.toml"))
    assert citation["version"] == project["project"]["version"] == __version__
    assert set(citation["license"]) == set(
        re.findall(r"MIT|CC-BY-4\.0", project["project"]["license"])
    )
    assert f"## {__version__} " in text_of("CHANGELOG.md")


def test_the_citation_has_a_home_only_if_the_repository_has_one():
    citation = yaml.safe_load(text_of("CITATION.cff"))
    project = tomllib.loads(text_of("pyproject.toml"))
    home = project["tool"]["nlp_dawn"]["repository"]
    assert citation.get("repository-code", "") == home
