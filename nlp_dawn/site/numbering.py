"""Chapters have the numbers of the plan, also while some are unwritten.

Sphinx counts the pages that are there; chapter 6 would be "4" until chapters
3 and 5 are written, and every reference to it would change with them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.environment import BuildEnvironment

    from nlp_dawn.site.project import Project


def number_by_plan(project: "Project") -> None:
    """Make Sphinx number the chapters as ``book/chapters.toml`` does."""
    from docutils import nodes
    from sphinx_external_toc.collectors import TocTreeCollectorWithStyles

    count = TocTreeCollectorWithStyles.assign_section_numbers
    count = getattr(count, "counted_by", count)  # the last build's, unwrapped
    planned = {f"book/{one.key}": one.number for one in project.chapters}

    def assign(
        collector: TocTreeCollectorWithStyles, env: "BuildEnvironment"
    ) -> list[str]:
        before = env.toc_secnumbers
        count(collector, env)
        for page in planned.keys() & env.toc_secnumbers.keys():
            env.toc_secnumbers[page] = {
                anchor: numbers and (planned[page], *numbers[1:])
                for anchor, numbers in env.toc_secnumbers[page].items()
            }
            links = env.tocs[page].findall(nodes.reference)
            for titled in (env.titles[page], *links):
                if titled.get("secnumber"):
                    titled["secnumber"][0] = planned[page]
        return [
            page
            for page, numbers in env.toc_secnumbers.items()
            if numbers != before.get(page)
        ]

    assign.counted_by = count  # type: ignore[attr-defined]
    collector = TocTreeCollectorWithStyles
    setattr(collector, "assign_section_numbers", assign)  # noqa: B010
