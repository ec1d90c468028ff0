"""A result as text and as HTML, for reading in both themes and aloud."""

import html
import re
import textwrap
from collections.abc import Iterator

from nlp_dawn.exercises.outcomes import Result

_WIDTH = 76
_CODE = re.compile(r"`([^`]*)`")
# Dark enough on white and bright enough on black to be told apart, and never
# the only sign: every result begins with a word.
_COLORS = {
    "passed": "#1f9d55",
    "failed": "#d9480f",
    "not done": "#7a7f87",
    "unknown": "#7a7f87",
}


def headline(result: Result) -> str:
    """Return the first line: the exercise, how it went, its points."""
    noun = "point" if result.max_points == 1 else "points"
    points = f"{result.points} of {result.max_points} {noun}"
    if result.status == "passed":
        return f"✓ {result.exercise}: right, {points}."
    if result.status == "failed":
        return f"✗ {result.exercise}: not yet right, {points}."
    if result.status == "not done":
        return f"… {result.exercise}: {points}."
    return f"? {result.exercise}"


def as_text(result: Result, *, where: str = "notebook") -> str:
    """Return the result as lines of text.

    Parameters
    ----------
    result : Result
        A verdict.
    where : {"notebook", "shell", "feedback"}
        Whose commands to name at the end; none in graded feedback.
    """
    blocks = [headline(result)]
    if result.message:
        blocks.append(_wrapped(result.message, "  "))
    call = list(_call(result))
    if call and result.label:
        blocks.append(f"  With {result.label}:")
    blocks += [f"    {line}" for line in call]
    if result.explanations:
        blocks.append(
            "\n".join(
                f"  {choice}\n{_wrapped(why, '     ')}"
                for choice, why in result.explanations
            )
        )
    groups = list(_groups(result))
    if groups:
        blocks.append("\n".join(f"  {line}" for line in groups))
    footer = _footer(result, where)
    if footer:
        blocks.append(_wrapped(footer, "  "))
    return "\n".join(blocks)


def as_html(result: Result) -> str:
    """Return the result as one HTML element that inherits the theme."""
    parts = [f"<p><strong>{html.escape(headline(result))}</strong></p>"]
    if result.message:
        parts.append(f"<p>{marked_up(result.message)}</p>")
    call = "\n".join(_call(result))
    if call:
        if result.label:
            parts.append(f"<p>With {html.escape(result.label)}:</p>")
        parts.append(
            '<pre style="white-space: pre-wrap; margin: 0 0 1em 1em">'
            f"{html.escape(call)}</pre>"
        )
    if result.explanations:
        items = "".join(
            f"<li><strong>{marked_up(choice)}</strong><br>{marked_up(why)}</li>"
            for choice, why in result.explanations
        )
        parts.append(
            '<p>The other choices:</p><ul style="list-style: none">'
            f"{items}</ul>"
        )
    groups = "".join(f"<li>{html.escape(g)}</li>" for g in _groups(result))
    if groups:
        parts.append(
            f'<ul style="list-style: none; padding-left: 0">{groups}</ul>'
        )
    footer = _footer(result, "notebook")
    if footer:
        parts.append(f"<p>{marked_up(footer)}</p>")
    color = _COLORS[result.status]
    return (
        '<div role="group" aria-label="Result of the check" style="'
        f"border-left: .3em solid {color}; padding: .3em 1em; max-width: 48em; "
        f'color: inherit; background: transparent">{"".join(parts)}</div>'
    )


def as_data(result: Result) -> dict[str, object]:
    """Return what the page in the browser shows of the result, for JSON.

    Text in backticks is code. The page adds its own footer: it has buttons
    where a notebook has commands.
    """
    return {
        "status": result.status,
        "headline": headline(result),
        "message": result.message,
        "mistake": result.mistake,
        "label": result.label,
        "call": list(_call(result)),
        "groups": list(_groups(result)),
        "explanations": [list(pair) for pair in result.explanations],
    }


def _call(result: Result) -> Iterator[str]:
    if result.call:
        yield result.call
    if result.got and result.status == "failed":
        yield f"your answer: {result.got}"
    if result.expected:
        yield f"expected:    {result.expected}"


def _groups(result: Result) -> Iterator[str]:
    # Where all or nothing is right, the headline has said it.
    if not any(g.passed for g in result.groups) or result.passed:
        return
    for group in result.groups:
        mark = "✓" if group.passed else "✗"
        yield (
            f"{mark} {group.points}/{group.max_points} points: {group.about} "
            f"({group.right} of {group.cases} cases right)"
        )


def _footer(result: Result, where: str) -> str:
    name = result.exercise
    if result.status in ("passed", "unknown") or where == "feedback":
        return ""
    if where == "shell":
        return f"Stuck? Run `nlp-dawn exercises hint {name}`."
    again = (
        f'The same inputs again: `check("{name}", seed={result.seed})`. '
        if result.seed is not None and result.call
        else ""
    )
    return f'{again}Stuck? `hint("{name}")`.'


def _wrapped(text: str, indent: str) -> str:
    # What stands in backticks is code to copy, so it is not broken.
    held = _CODE.sub(lambda m: "`" + m[1].replace(" ", "\0") + "`", text)
    lines = textwrap.wrap(
        held,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace("\0", " ")


def marked_up(text: str) -> str:
    """Return `text` as HTML, what stands in backticks as code."""
    return _CODE.sub(r"<code>\1</code>", html.escape(text))
