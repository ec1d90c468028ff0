"""The page with all exercises, where a reader sees what is done and what next.

What is done only the reader's browser knows; a script adds it to the page.
"""

import json
from collections.abc import Callable
from html import escape

from nlp_dawn.site.project import Project

_KINDS = {
    "implement": "a function",
    "number": "a number",
    "predict": "a prediction",
}


def exercises_page(project: Project, label: Callable[[str, str], str]) -> str:
    """Return the page as Markdown: every exercise of the written chapters.

    Parameters
    ----------
    project : Project
        The checkout.
    label : callable
        ``label(chapter, name)`` is the label of an exercise on its page.
    """
    from nlp_dawn.exercises import catalog

    listed = []
    tables = []
    for key in catalog.chapters():
        if not project.is_written(key):
            continue
        chapter = project.chapter(key)
        tables += [
            f"## {chapter.number}. {chapter.title}",
            "",
            "| Exercise | What you give | Difficulty | Minutes |",
            "|---|---|---|---|",
        ]
        for number, exercise in enumerate(catalog.exercises_of(key), start=1):
            anchor = label(key, exercise.name)
            title = exercise.title.replace("|", r"\|")
            tables.append(
                f"| {{ref}}`{number}. {title} <{anchor}>` "
                f"| {_KINDS[exercise.kind]} | {exercise.difficulty} of 3 "
                f"| {exercise.minutes} |"
            )
            listed.append(
                {
                    "id": f"{key}:{exercise.name}",
                    "label": anchor,
                    "href": f"{key}.html#{anchor}",
                    "title": f"chapter {chapter.number}, {exercise.title}",
                    "difficulty": exercise.difficulty,
                    "minutes": exercise.minutes,
                }
            )
        tables.append("")
    minutes = sum(int(str(one["minutes"])) for one in listed)
    return "\n".join(
        [
            "(all-exercises)=",
            "# Your exercises",
            "",
            f"{len(listed)} exercises, about {minutes / 60:.0f} hours. Answer "
            "them where they stand in the chapters: each is checked there, "
            "with fresh inputs every time, and a wrong answer is told what is "
            "wrong with it. Nothing leaves your browser; it keeps what you "
            "write, and this page shows how far you are. To go on in another "
            "browser, save your answers to a file and load them there.",
            "",
            "```{raw} html",
            _summary(listed, minutes),
            "```",
            "",
            *tables,
        ]
    )


def _summary(listed: list[dict[str, object]], minutes: int) -> str:
    """Return what the page's script fills in, as high as it will be."""
    data = json.dumps(listed, ensure_ascii=False).replace("<", "\\u003c")
    sum_up = (
        f"0 of {len(listed)} exercises done; about {minutes / 60:.0f} hours "
        "are left."
    )
    begin = ""
    if listed:
        first = listed[0]
        begin = (
            f"Begin here: {first['title']} (difficulty {first['difficulty']} "
            f"of 3, {first['minutes']} min)"
        )
    return f"""\
<div class="exercise-progress">
<noscript><p>What you have done shows here with JavaScript on. In a terminal:
<code>nlp-dawn exercises list</code></p></noscript>
<div class="live">
<p class="progress-sum">{sum_up}</p>
<progress max="{len(listed)}" value="0" aria-label="Exercises done"></progress>
<p class="progress-next">{escape(begin)}</p>
<p class="exercise-tools">
<button type="button" data-does="save">Save to a file</button>
<button type="button" data-does="load">Load from a file</button>
<input type="file" accept=".json,application/json" id="progress-file" hidden>
</p>
<p role="status"></p>
</div>
<script type="application/json" class="exercise-list">{data}</script></div>"""
