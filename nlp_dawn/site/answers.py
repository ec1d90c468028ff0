"""Where a reader answers an exercise in the page.

It stands in the page from the beginning, as high as it will be, so that
nothing moves when the page's script (``web/source/exercises.js``) wakes it up.
Until then it is not seen; without scripts it takes no room.
"""

import json
from html import escape

from nlp_dawn.site.exercises import ShownExercise, page_data

#: What is said where no script runs.
WITHOUT_SCRIPT = (
    "<noscript><p>To have your answer checked, turn on JavaScript, or work in "
    "the notebook: <code>nlp-dawn exercises start my-exercises</code></p>"
    "</noscript>\n"
)

# What stands in an editor beside a number that is asked for.
_SCRATCH = "# np is NumPy\n"

_STATUS = '<div class="exercise-status" role="status"></div>\n'


def answer_markup(exercise: ShownExercise, label: str) -> str:
    """Return the place for the answer, and what the script must know.

    Parameters
    ----------
    exercise : ShownExercise
        The exercise.
    label : str
        The anchor of its box; the ids inside begin with it.
    """
    data = page_data(exercise)
    if exercise.kind == "implement":
        parts = _implement(exercise, label)
    elif exercise.kind == "number":
        parts = _number(exercise, label, str(data["answer"]))
    else:
        parts = _tools(_button("check", "Check", "primary")) + _STATUS
    # A text "</script>" must not end the element.
    written = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    return (
        f'<div class="exercise-answer">\n{parts}</div>\n'
        f'<script type="application/json" class="exercise-data">{written}'
        "</script>\n"
    )


def _implement(exercise: ShownExercise, label: str) -> str:
    about = f"Your answer to exercise {exercise.number}, {exercise.title}"
    tools = _tools(
        _button("check", "Check", "python primary"),
        _button("run", "Run", "python"),
        _button("reset", "Reset", hidden=True),
        _button("undo", "Bring my answer back", hidden=True),
    )
    return (
        _editor(exercise.stub.rstrip(), about, label, "checks")
        + tools
        + _STATUS
    )


def _number(exercise: ShownExercise, label: str, name: str) -> str:
    about = f"Python for exercise {exercise.number}, {exercise.title}"
    return (
        '<div class="exercise-number">\n'
        f'<label for="{label}-number"><code>{escape(name)}</code> =</label>\n'
        f'<input type="text" inputmode="decimal" id="{label}-number"'
        ' autocomplete="off" autocapitalize="off" spellcheck="false"'
        ' enterkeyhint="done">\n'
        # A phone's keypad for numbers has no minus.
        f"{_button('sign', '±', 'sign', says='Change the sign')}"
        f"{_button('check', 'Check', 'primary')}</div>\n"
        f"{_STATUS}"
        '<details class="fold workbench"><summary>Work it out in Python'
        "</summary>\n"
        f"{_editor(_SCRATCH, about, label, 'runs')}"
        f"{_tools(_button('run', 'Run', 'python'))}"
        '<div class="printed-here" role="status"></div>\n</details>\n'
    )


def _editor(text: str, about: str, label: str, submit: str) -> str:
    rows = text.count("\n") + 1
    # The first line break in a textarea is not part of its text.
    return (
        '<div class="exercise-editor">\n'
        f'<textarea class="exercise-code" rows="{rows}" wrap="off"'
        f' aria-label="{escape(about)}" aria-describedby="{label}-keys"'
        ' autocapitalize="off" autocomplete="off" autocorrect="off"'
        f' spellcheck="false">\n{escape(text)}</textarea>\n'
        f'<p class="exercise-keys" id="{label}-keys">Ctrl+Enter {submit}. Tab '
        "indents; Escape, then Tab, leaves the editor.</p>\n</div>\n"
    )


def _tools(*buttons: str) -> str:
    return f'<div class="exercise-tools">\n{"".join(buttons)}</div>\n'


def _button(
    does: str,
    text: str,
    classes: str = "",
    *,
    says: str = "",
    hidden: bool = False,
) -> str:
    attributes = f' class="{classes}"' if classes else ""
    attributes += f' aria-label="{says}"' if says else ""
    attributes += " hidden" if hidden else ""
    return (
        f'<button type="button" data-does="{does}"{attributes}>{text}'
        "</button>\n"
    )
