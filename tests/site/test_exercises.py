"""The exercises in the page: answered, judged, kept, without a server's help.

What runs Python needs NumPy's wheel: those tests run when `NLP_DAWN_PYODIDE`
names a folder with it. Up to the request for it, everything is tested.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from nlp_dawn.exercises import catalog, notebook, page
from nlp_dawn.exercises.judging import judge
from nlp_dawn.exercises.outcomes import TimedOut
from nlp_dawn.exercises.running import verdict
from nlp_dawn.exercises.showing import as_data, headline
from nlp_dawn.exercises.specification import FindNumber, Implement, Predict
from nlp_dawn.site.browser_code import FOLDER, numpy_wheel
from nlp_dawn.site.pages import exercise_label
from nlp_dawn.site.project import Project

pytestmark = pytest.mark.browser

PROJECT = Project(Path(__file__).parents[2])
KEYS = [key for key in catalog.chapters() if PROJECT.is_written(key)]
ALL = [(key, e) for key in KEYS for e in catalog.exercises_of(key)]
KL = "foundations/divergence", "kl_divergence"
KL_PAGE = f"book/{KL[0]}.html"
SWAPPED = """\
def kl_divergence(p, q):
    return np.sum(q * np.log(q / p), axis=-1)
"""
RIGHT = notebook.read_chapter(KL[0])[KL[1]].answer

needs_numpy = pytest.mark.skipif(
    not os.environ.get(FOLDER),
    reason=f"{FOLDER} names no folder with NumPy for the browser",
)


def place(key: str, name: str) -> str:
    return f"book/{key}.html#{exercise_label(key, name)}"


def box_of(page: Page, key: str, name: str) -> Locator:
    return page.locator(f"#{exercise_label(key, name)}")


def press(box: Locator, name: str) -> None:
    box.get_by_role("button", name=name, exact=True).click()


def write(box: Locator, code: str) -> None:
    """Put code into the editor, as by pasting."""
    editor = box.locator(".cm-content")
    editor.click()
    box.page.keyboard.press("Control+a")
    box.page.keyboard.insert_text(code)


def written(box: Locator) -> str:
    """Return the code in the editor, and in the textarea behind it."""
    code: str = box.locator("textarea").input_value()
    return code


def plain(text: str) -> str:
    """Return a message as the page shows it: code has no backticks there."""
    return text.replace("`", "")


def said(box: Locator) -> tuple[str, str]:
    """Return status and message of the verdict that is shown."""
    shown = box.locator(".verdict")
    paragraphs = shown.locator("> p").all_text_contents()
    return str(shown.get_attribute("data-status")), "\n".join(paragraphs[:2])


def expected(result: Any) -> tuple[str, str]:
    lines = [headline(result), plain(result.message)]
    return result.status, "\n".join(line for line in lines if line)


# -- Without Python


def test_a_prediction_is_explained_as_in_the_notebook(toured, chapter_page):
    key = chapter_page.removeprefix("book/").removesuffix(".html")
    for exercise in catalog.exercises_of(key):
        if not isinstance(exercise, Predict):
            continue
        box = box_of(toured.page, key, exercise.name)
        shown = box.evaluate(
            """box => [...box.querySelectorAll("input")].map(input => {
              input.click();
              const before = box.querySelectorAll(".verdict").length;
              box.querySelector(".primary").click();
              const verdict = box.querySelector(".verdict");
              const lines = [...verdict.querySelectorAll(":scope > p")];
              return [
                input.value,
                before,
                verdict.dataset.status,
                lines.slice(0, 2).map(p => p.textContent).join("\\n"),
                verdict.querySelectorAll(".explanations > li").length,
              ];
            })"""
        )
        assert [row[0] for row in shown] == list(exercise.lettered)
        for letter, before, status, message, explained in shown:
            source = f'{exercise.answer_name} = "{letter}"'
            assert (status, message) == expected(verdict(exercise, source, 0))
            assert before == 0
            others = len(exercise.lettered) - 1
            assert explained == (others if letter == exercise.correct else 0)
    assert toured.wrong() == []


def test_a_number_is_judged_as_in_the_notebook(toured, chapter_page):
    key = chapter_page.removeprefix("book/").removesuffix(".html")
    for exercise in catalog.exercises_of(key):
        if not isinstance(exercise, FindNumber):
            continue
        numbers = _numbers_to_try(exercise)
        shown = box_of(toured.page, key, exercise.name).evaluate(
            """(box, numbers) => numbers.map(number => {
              const input = box.querySelector(".exercise-number input");
              input.value = number;
              input.dispatchEvent(new Event("input"));
              input.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}));
              const verdict = box.querySelector(".verdict");
              const lines = [...verdict.querySelectorAll(":scope > p")];
              return [
                verdict.dataset.status,
                lines.slice(0, 2).map(p => p.textContent).join("\\n"),
              ];
            })""",
            numbers,
        )
        for number, (status, message) in zip(numbers, shown, strict=True):
            source = f"{exercise.answer_name} = {number}"
            assert (status, message) == expected(
                verdict(exercise, source, 0)
            ), number
    assert toured.wrong() == []


def _numbers_to_try(exercise: FindNumber) -> list[str]:
    """Return numbers on both sides of every border, and what is written so."""
    right = exercise.reference()
    room = exercise.atol + exercise.rtol * abs(right)
    known = [right, *(mistake.function() for mistake in exercise.mistakes)]
    return [
        *(repr(value) for value in known),
        *(repr(float(value)) for value in known if isinstance(value, int)),
        *(repr(number) for number in exercise.alternatives),
        *(repr(right + side * room) for side in (-0.99, 0.99, -1.01, 1.01)),
        repr(right * 1.0099),
        repr(right * 1.0101),
        f"{right:.17e}",
        f"{right * 3!r}/3",
        "-12345",
        "1_000_003",
    ]


@pytest.fixture(scope="module")
def divergence(html, new_visit) -> Iterator[Page]:
    """Return one page for the tests that leave it as they found it."""
    with new_visit() as visit:
        visit.open(html / "book" / "foundations" / "divergence.html")
        yield visit.page
        assert visit.wrong() == []


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", "Write a number, such as"),
        ("three", "Write a number, such as"),
        ("1/0", "Write a number, such as"),
        ("pi/4", "Write a number, such as"),
        ("np.log(2)", "Write a number, such as"),
        ("1e999", "Write a number, such as"),
        ("3,16", "Write a decimal point: 3.16."),
    ],
)
def test_what_is_no_number_gets_a_sentence(divergence, text, answer):
    box = box_of(divergence, "foundations/divergence", "best_sigma")
    field = box.locator(".exercise-number input")
    field.fill(text)
    press(box, "Check")
    expect(box.locator(".exercise-status")).to_contain_text(answer)
    expect(field).to_be_focused()


def test_the_sign_is_changed_with_a_thumb(divergence):
    box = box_of(divergence, "foundations/divergence", "best_sigma")
    field = box.locator(".exercise-number input")
    field.fill("3.16")
    for now in ("-3.16", "3.16"):
        box.get_by_role("button", name="Change the sign").click()
        assert field.input_value() == now


def test_who_has_not_chosen_is_asked_to(divergence):
    box = box_of(divergence, "foundations/divergence", "which_direction")
    divergence.evaluate("localStorage.clear()")
    box.locator("input:checked").evaluate_all(
        "all => all.map(i => i.checked = 0)"
    )
    press(box, "Check")
    expect(box.locator(".exercise-status")).to_contain_text("Choose first")
    expect(box.locator("input").first).to_be_focused()


def test_hints_come_one_by_one(html, visit):
    visit.open(html / place(*KL).partition("#")[0])
    hints = box_of(visit.page, *KL).locator("details.hint")
    for shown in (1, 2, 3):
        visible = [hint for hint in hints.all() if hint.is_visible()]
        assert len(visible) == shown
        visible[-1].locator("summary").click()
    # One that is open stays, whatever is closed before it.
    hints.first.locator("summary").click()
    assert hints.nth(1).is_visible()
    assert hints.nth(2).locator("p").first.is_visible()


def test_without_javascript_the_exercise_is_complete(html, browser):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((html / place(*KL).partition("#")[0]).as_uri())
    box = box_of(tab, *KL)
    expect(box).to_contain_text("def kl_divergence(p, q):")
    assert "turn on JavaScript" in box.locator("noscript").inner_text()
    assert box.locator("button:visible, textarea:visible").count() == 0
    folds = box.locator("details")
    assert folds.count() == 4
    for fold in folds.all():
        fold.locator("summary").click()
        assert fold.locator("p").first.is_visible()
    choices = box_of(tab, "foundations/divergence", "which_direction")
    assert choices.locator("ul.choices > li").count() == 4
    expect(choices.locator("noscript pre")).to_contain_text(
        "WHICH_DIRECTION = ..."
    )
    tab.goto((html / "book" / "exercises.html").as_uri())
    expect(tab.locator(".exercise-progress .live")).to_be_hidden()
    context.close()


def test_a_page_from_a_file_says_what_to_do(html, visit):
    visit.open(html / place(*KL).partition("#")[0])
    box = box_of(visit.page, *KL)
    press(box, "Check")
    expect(box.locator(".exercise-status")).to_contain_text(
        "A page that is opened from a file cannot run Python."
    )
    assert visit.wrong() == []


# -- The editor, and what is kept


def test_a_link_leads_to_its_exercise_though_those_before_it_wake_up(
    visit, address
):
    visit.page.goto(
        f"{address}/{place('foundations/divergence', 'best_sigma')}"
    )
    box = box_of(visit.page, "foundations/divergence", "best_sigma")
    expect(box.locator(".exercise-number")).to_be_in_viewport()
    visit.page.wait_for_function(
        "box => Math.abs(box.getBoundingClientRect().top) < 150",
        arg=box.element_handle(),
    )


def test_the_editor_comes_when_the_reader_does(html, visit, address):
    visit.page.goto(f"{address}/{place(*KL)}")
    box = box_of(visit.page, *KL)
    editor = box.locator(".cm-content")
    expect(editor).to_be_visible()
    expect(editor).to_have_attribute(
        "aria-label", "Your answer to exercise 2, The divergence of two tables"
    )
    assert visit.page.locator("textarea:visible").count() == 0
    colored = editor.locator(".tok-keyword").first
    assert colored.text_content() == "def"
    assert visit.wrong() == []


def test_nothing_moves_when_the_editors_come(visit, address):
    """What is below an exercise stays where it is, on a phone too."""
    places = """async () => {
      const seen = [];
      for (const area of document.querySelectorAll("textarea")) {
        area.scrollIntoView();
        await new Promise(requestAnimationFrame);
      }
      const parts = document.querySelectorAll("h2, div.exercise, footer");
      return [...parts].map(
        (part) => Math.round(part.getBoundingClientRect().top + scrollY));
    }"""
    for width in (1280, 390):
        visit.page.set_viewport_size({"width": width, "height": 844})
        visit.page.route("**/editor.js", lambda route: route.abort())
        visit.page.goto(f"{address}/{KL_PAGE}")
        without = visit.page.evaluate(places)
        visit.page.unroute("**/editor.js")
        visit.page.goto(f"{address}/{KL_PAGE}")
        visit.page.evaluate(places)
        expect(visit.page.locator(".cm-content").last).to_be_attached()
        assert visit.page.evaluate(places) == without
        assert len(without) > 8


def test_the_keyboard_gets_into_the_editor_and_out(visit, address):
    visit.page.goto(f"{address}/{place(*KL)}")
    box = box_of(visit.page, *KL)
    write(box, "def f():")
    keys = visit.page.keyboard
    keys.press("Enter")
    assert written(box) == "def f():\n    "
    keys.press("Tab")
    assert written(box) == "def f():\n        "
    keys.press("Escape")
    keys.press("Tab")
    expect(box.get_by_role("button", name="Check", exact=True)).to_be_focused()
    keys.press("Shift+Tab")
    expect(box.locator(".cm-content")).to_be_focused()


def test_without_the_editor_a_text_field_remains(html, visit, address):
    visit.page.route("**/editor.js", lambda route: route.abort())
    visit.page.goto(f"{address}/{place(*KL)}")
    box = box_of(visit.page, *KL)
    field = box.locator("textarea")
    expect(field).to_be_visible()
    field.fill("x = 1")
    visit.page.reload()
    expect(field).to_have_value("x = 1")


def test_an_answer_survives_a_reload(visit, address):
    visit.page.goto(f"{address}/{place(*KL)}")
    write(box_of(visit.page, *KL), SWAPPED)
    choice = box_of(visit.page, "foundations/divergence", "which_direction")
    choice.locator("input[value=c]").check()
    press(choice, "Check")
    number = box_of(visit.page, "foundations/divergence", "best_sigma")
    number.locator(".exercise-number input").fill("3.1")
    visit.page.reload()
    assert written(box_of(visit.page, *KL)) == SWAPPED
    assert choice.locator("input[value=c]").is_checked()
    assert number.locator(".exercise-number input").input_value() == "3.1"
    assert "✓ done" in choice.locator(".exercise-title").inner_text()
    assert "✓ done" not in number.locator(".exercise-title").inner_text()


def test_two_open_pages_agree(visit, address):
    visit.page.goto(f"{address}/{place(*KL)}")
    other = visit.page.context.new_page()
    other.goto(f"{address}/{place(*KL)}")
    write(box_of(other, *KL), SWAPPED)
    field = box_of(visit.page, *KL).locator("textarea")
    expect(field).to_have_value(SWAPPED)


@pytest.mark.parametrize("kind", ["forbidden", "full"])
def test_a_browser_that_keeps_nothing_is_survived(visit, address, kind):
    visit.page.add_init_script(
        {
            "forbidden": "Object.defineProperty(window, 'localStorage', "
            "{get() { throw new DOMException('no', 'SecurityError'); }})",
            "full": "Storage.prototype.setItem = () => "
            "{ throw new DOMException('no', 'QuotaExceededError'); }",
        }[kind]
    )
    ours: list[str] = []  # the theme's own scripts do not survive it
    visit.page.on(
        "pageerror",
        lambda error: (
            ours.append(error.stack) if "exercises.js" in error.stack else None
        ),
    )
    visit.page.goto(f"{address}/{place(*KL)}")
    write(box_of(visit.page, *KL), SWAPPED)
    choice = box_of(visit.page, "foundations/divergence", "which_direction")
    choice.locator("input[value=c]").check()
    press(choice, "Check")
    assert "✓ done" in choice.locator(".exercise-title").inner_text()
    visit.page.goto(f"{address}/book/exercises.html")
    expect(visit.page.locator(".exercise-progress [role=status]")).to_have_text(
        "This browser does not keep what you write here; save it to a file."
    )
    assert ours == []


def test_reset_gives_the_stub_and_the_answer_back(visit, address):
    visit.page.goto(f"{address}/{place(*KL)}")
    box = box_of(visit.page, *KL)
    stub = written(box)
    assert stub.rstrip() == notebook.read_chapter(KL[0])[KL[1]].stub.rstrip()
    assert not box.get_by_role("button", name="Reset").is_visible()
    write(box, SWAPPED)
    press(box, "Reset")
    assert written(box) == stub
    back = box.get_by_role("button", name="Bring my answer back")
    expect(back).to_be_focused()
    back.click()
    assert written(box) == SWAPPED
    press(box, "Reset")
    write(box, "x = 1")
    assert not back.is_visible()


def test_a_damaged_entry_is_as_good_as_none(visit, address):
    visit.page.goto(f"{address}/{place(*KL)}")
    for text in ("{", "[]", "3", '{"answer": 5, "done": "soon"}'):
        visit.page.evaluate(
            "text => localStorage.setItem("
            "'nlp-dawn:foundations/divergence:kl_divergence', text)",
            text,
        )
        visit.page.reload()
        box = box_of(visit.page, *KL)
        assert written(box).startswith("def kl_divergence(p, q):")
        assert "done" not in box.locator(".exercise-title").inner_text()
    assert visit.errors == []


# -- The page of all exercises


def test_the_progress_page_knows_every_exercise_and_the_next(visit, address):
    visit.page.goto(f"{address}/book/exercises.html")
    progress = visit.page.locator(".exercise-progress")
    expect(progress).to_contain_text(f"0 of {len(ALL)} exercises done")
    rows = visit.page.locator("table a[href*='#exercise-']")
    assert rows.count() == len(ALL)
    first = progress.get_by_role("link")
    expect(progress).to_contain_text("Begin here: ")
    first.click()
    key, exercise = ALL[0]
    assert visit.page.url.endswith(place(key, exercise.name))
    box = box_of(visit.page, key, exercise.name)
    assert isinstance(exercise, Predict)
    box.locator(f"input[value={exercise.correct}]").check()
    press(box, "Check")
    visit.page.goto(f"{address}/book/exercises.html")
    expect(progress).to_contain_text(f"1 of {len(ALL)} exercises done")
    expect(progress).to_contain_text("Resume here: ")
    second = ALL[1][1]
    expect(progress.get_by_role("link")).to_contain_text(second.title)
    marks = visit.page.locator("td .done-mark").all_text_contents()
    assert marks[0] == " ✓ done"
    assert set(marks[1:]) == {""}
    meter = progress.locator("progress")
    assert meter.evaluate("m => [m.value, m.max]") == [1, len(ALL)]
    assert visit.wrong() == []


def test_progress_travels_in_a_file(visit, new_visit, address, tmp_path):
    there = f"{address}/book/exercises.html"
    choice = ALL[0][0], ALL[0][1].name
    visit.page.goto(f"{address}/{place(*KL)}")
    write(box_of(visit.page, *KL), SWAPPED)
    box = box_of(visit.page, *choice)
    box.locator(f"input[value={ALL[0][1].correct}]").check()
    press(box, "Check")
    visit.page.goto(there)
    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="Save to a file").click()
    saved = tmp_path / "saved.json"
    download.value.save_as(saved)
    expect(visit.page.locator("[role=status]").last).to_have_text(
        "Saved 2 answers."
    )
    with new_visit() as other:
        page = other.page
        page.goto(there)
        status = page.locator(".exercise-progress [role=status]")
        file = page.locator("input[type=file]")
        file.set_input_files(saved)
        expect(status).to_have_text("2 taken from saved.json.")
        expect(page.locator(".exercise-progress")).to_contain_text("1 of ")
        page.goto(f"{address}/{place(*KL)}")
        assert written(box_of(page, *KL)) == SWAPPED
        # What is written here later than in the file stays.
        write(box_of(page, *KL), RIGHT)
        page.goto(there)
        file.set_input_files(saved)
        expect(status).to_have_text(
            "1 taken from saved.json; 1 left as they are, because yours are "
            "newer."
        )
        page.goto(f"{address}/{place(*KL)}")
        assert written(box_of(page, *KL)) == RIGHT
        assert other.wrong() == []


def test_what_is_done_stays_done_whichever_answer_is_newer(
    visit, address, tmp_path
):
    there, page = f"{address}/book/exercises.html", visit.page
    key, exercise = ALL[0]
    sum_up = page.locator(".exercise-progress")

    def load(done: str | None, changed: str) -> None:
        entry = {"answer": "a", "changed": changed}
        if done:
            entry["done"] = done
        saved = tmp_path / "saved.json"
        named = {f"{key}:{exercise.name}": entry}
        saved.write_text(json.dumps({"format": 1, "exercises": named}))
        page.goto(there)
        page.locator("input[type=file]").set_input_files(saved)

    page.goto(f"{address}/{place(key, exercise.name)}")
    box_of(page, key, exercise.name).locator("input[value=b]").check()
    # Done elsewhere, before something else was chosen here
    load("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z")
    expect(sum_up).to_contain_text("1 left as they are")
    expect(sum_up).to_contain_text("1 of ")
    # Done here, and another answer was chosen elsewhere later
    load(None, "2999-01-01T00:00:00Z")
    expect(sum_up).to_contain_text("1 taken from saved.json")
    expect(sum_up).to_contain_text("1 of ")
    page.goto(f"{address}/{place(key, exercise.name)}")
    box = box_of(page, key, exercise.name)
    assert box.locator("input[value=a]").is_checked()
    assert "✓ done" in box.locator(".exercise-title").inner_text()
    assert visit.wrong() == []


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ("no JSON", "not JSON. Nothing has changed."),
        ("[]", "not a file saved on this page (format 1)"),
        ('{"format": 2, "exercises": {}}', "not a file saved on this page"),
        ('{"format": 1, "exercises": null}', "0 taken from strange.json."),
        (
            '{"format": 1, "exercises": {"a:b": {"done": "x"}, '
            '"foundations/divergence:kl_divergence": 3}}',
            "0 taken from strange.json; 2 passed over",
        ),
    ],
)
def test_a_strange_file_changes_nothing(
    visit, address, tmp_path, content, answer
):
    visit.page.goto(f"{address}/book/exercises.html")
    strange = tmp_path / "strange.json"
    strange.write_text(content)
    visit.page.locator("input[type=file]").set_input_files(strange)
    expect(
        visit.page.locator(".exercise-progress [role=status]")
    ).to_contain_text(answer)
    assert visit.page.evaluate("localStorage.getItem('nlp-dawn:a:b')") is None
    assert visit.wrong() == []


# -- Python in the page, up to the request for NumPy


@contextlib.contextmanager
def asked_for(page: Page) -> Iterator[list[str]]:
    """Collect the addresses that a page and its worker ask for."""
    seen: list[str] = []

    def note(request: Any) -> None:
        seen.append(request.url)

    page.context.on("request", note)
    yield seen
    page.context.remove_listener("request", note)


def test_python_is_loaded_when_it_is_first_needed_and_not_before(
    visit, address
):
    with asked_for(visit.page) as seen:
        visit.page.goto(f"{address}/{place(*KL)}")
        expect(box_of(visit.page, *KL).locator(".cm-content")).to_be_visible()
        assert not [url for url in seen if "/python/" in url]


def test_where_numpy_is_not_the_page_asks_the_named_hosts_and_says_so(
    visit, address
):
    host = "https://mirror.invalid/pyodide/"

    def without_numpy(route: Route) -> None:
        files = route.fetch().json()
        files["numpy"]["hosts"] = [host]
        route.fulfill(json=files)

    visit.page.context.route("**/python/files.json", without_numpy)
    visit.page.goto(f"{address}/{place(*KL)}")
    box = box_of(visit.page, *KL)
    wheel, _ = numpy_wheel(PROJECT, [])
    for action in ("Check", "Run"):  # a second press tries again
        visit.foreign.clear()
        press(box, action)
        status = box.locator(".exercise-status")
        expect(status).to_contain_text(
            "Python could not be loaded", timeout=60_000
        )
        assert visit.foreign == [host + wheel.file]
        expect(status).to_contain_text(host)
        expect(status).to_contain_text("nlp-dawn exercises start")
        expect(
            box.get_by_role("button", name="Check", exact=True)
        ).to_be_enabled()


def test_loading_can_be_stopped(visit, address):
    # Neither comes: nor is the loading ended by a wheel that nobody has.
    for file in ("**/pyodide.asm.wasm", "**/*.whl"):
        visit.page.context.route(file, lambda route: None)
    visit.page.goto(f"{address}/{place(*KL)}")
    box = box_of(visit.page, *KL)
    press(box, "Check")
    expect(box.locator("progress")).to_be_visible()
    # Asked once more in the meantime, it does not begin a second time.
    box.locator(".cm-content").press("Control+Enter")
    press(box, "Stop")
    expect(box.locator(".exercise-status")).to_have_text("Stopped.")
    assert box.locator("progress").count() == 0
    expect(box.get_by_role("button", name="Check", exact=True)).to_be_focused()


# -- Python in the page


@pytest.fixture(scope="module")
def python(new_visit, address) -> Iterator[Any]:
    """Return a visit to a site that has NumPy's wheel."""
    with new_visit() as visit:
        _serve_wheel(visit.page)
        visit.page.goto(f"{address}/{place(*KL)}")
        yield visit
        assert visit.wrong() == []


def _serve_wheel(page: Page) -> None:
    wheel, _ = numpy_wheel(PROJECT, [])
    assert wheel.path is not None
    size = wheel.path.stat().st_size

    def with_numpy(route: Route) -> None:
        files = route.fetch().json()
        if files["numpy"]["hosts"] != ["./"]:
            files["bytes"] += size
        files["numpy"].update(hosts=["./"], sha256=wheel.sha256)
        route.fulfill(json=files)

    page.context.route("**/python/files.json", with_numpy)
    page.context.route("**/*.whl", lambda route: route.fulfill(path=wheel.path))


def answer(box: Locator, code: str) -> tuple[str, str]:
    """Check `code` and return the verdict's status and message."""
    write(box, code)
    press(box, "Check")
    finished(box)
    return said(box)


def finished(box: Locator) -> None:
    expect(box.get_by_role("button", name="Stop")).to_have_count(
        0, timeout=90_000
    )


@needs_numpy
def test_a_wrong_answer_gets_its_sentence_and_a_right_one_its_mark(python):
    box = box_of(python.page, *KL)
    status, message = answer(box, SWAPPED)
    assert status == "failed"
    assert "the arguments are swapped" in message
    assert answer(box, RIGHT)[0] == "passed"
    assert "✓ done" in box.locator(".exercise-title").inner_text()


@needs_numpy
def test_a_run_shows_output_and_the_line_of_an_error(python):
    box = box_of(python.page, *KL)
    write(box, "print('here')\nx = 1\n1 / 0\n")
    press(box, "Run")
    finished(box)
    assert box.locator(".printed pre").all_inner_texts() == [
        "here",
        "Line 3: 1 / 0\nZeroDivisionError: division by zero",
    ]
    number = box_of(python.page, "foundations/divergence", "price_of_one_mode")
    number.get_by_text("Work it out in Python").click()
    write(number, "log_q.shape")
    press(number, "Run")
    finished(number)
    assert number.locator(".printed").inner_text() == "(6001,)"


@needs_numpy
def test_an_endless_loop_is_stopped_and_says_so(python):
    box = box_of(python.page, *KL)
    began = time.monotonic()
    status, message = answer(box, "def kl_divergence(p, q):\n    while 1: 0\n")
    assert time.monotonic() - began >= page.LIMIT
    exercise = catalog.find(":".join(KL))
    cases = exercise.cases(np.random.default_rng(0))
    late = judge(exercise, cases, [TimedOut(page.LIMIT)] * len(cases))
    assert (status, message) == expected(late)
    # A new worker answers what comes next.
    assert answer(box, RIGHT)[0] == "passed"


@needs_numpy
def test_a_reader_can_stop_a_run(python):
    box = box_of(python.page, *KL)
    write(box, "while True: pass")
    press(box, "Run")
    press(box, "Stop")
    expect(box.locator(".exercise-status")).to_have_text("Stopped.")
    assert answer(box, RIGHT)[0] == "passed"


@needs_numpy
def test_a_broken_python_is_replaced(python):
    box = box_of(python.page, *KL)
    write(box, "import sys\nsys.setrecursionlimit(10**9)\ndef f(x): f(x)\nf(1)")
    press(box, "Run")
    finished(box)
    assert box.locator(".exercise-status").inner_text()
    assert answer(box, RIGHT)[0] == "passed"


@needs_numpy
def test_a_wrong_wheel_is_refused(visit, address):
    _serve_wheel(visit.page)
    visit.page.context.route(
        "**/*.whl", lambda route: route.fulfill(body=b"not the wheel")
    )
    visit.page.goto(f"{address}/{place(*KL)}")
    box = box_of(visit.page, *KL)
    press(box, "Check")
    expect(box.locator(".exercise-status")).to_contain_text(
        "is not the file that was asked for", timeout=60_000
    )


@needs_numpy
def test_every_answer_has_the_notebooks_verdict_in_the_browser(python):
    """Solutions, alternatives and mistakes of every function, by one worker."""
    requests, results = [], []
    for key, exercise in ALL:
        if not isinstance(exercise, Implement):
            continue
        given = notebook.given_code(f"{key}:{exercise.name}")
        section = notebook.read_chapter(key)[exercise.name]
        for source in (
            section.stub,
            section.answer,
            *exercise.right_sources(),
            *exercise.wrong_sources().values(),
        ):
            result = verdict(exercise, source, 11, given=given)
            results.append(as_data(result))
            requests.append(
                {
                    "ask": "check",
                    "id": f"{key}:{exercise.name}",
                    "source": source,
                    "earlier": {},
                    "seed": 11,
                }
            )
    answers = python.page.evaluate(
        """requests => new Promise((resolve, reject) => {
          const worker = new Worker("../../_static/python/worker.js");
          const answers = [];
          let began;
          const next = () => {
            if (answers.length === requests.length) {
              worker.terminate();
              return resolve(answers);
            }
            began = performance.now();
            worker.postMessage(requests[answers.length]);
          };
          worker.onmessage = ({ data }) => {
            if (data.ready) return next();
            if (data.progress) return;
            if (!data.answer) return reject(JSON.stringify(data));
            const took = performance.now() - began;
            answers.push([JSON.parse(data.answer), took]);
            next();
          };
        })""",
        requests,
    )
    for request, (got, took), want in zip(
        requests, answers, results, strict=True
    ):
        # Numbers in a call may differ in their last digit: other BLAS.
        for name in ("status", "mistake", "message", "groups"):
            assert got[name] == want[name], (request["id"], request["source"])
        assert took < page.LIMIT * 1000 / 2, request["id"]


@needs_numpy
def test_time_memory_and_bytes_of_python_are_measured(
    browser, new_visit, address, record_property
):
    figures = {}
    with new_visit() as visit:
        _serve_wheel(visit.page)
        for kind in ("fresh", "cached"):
            visit.page.goto("about:blank")
            visit.page.goto(f"{address}/{place(*KL)}")
            box = box_of(visit.page, *KL)
            expect(box.locator(".cm-content")).to_be_visible()
            visit.page.evaluate(
                "document.addEventListener('nlp-dawn-python', "
                "e => { window.loaded = e.detail; })"
            )
            began = visit.page.evaluate("performance.now()")
            press(box, "Check")
            box.locator(".verdict").wait_for(timeout=90_000)
            figures[kind] = visit.page.evaluate("performance.now()") - began
            loaded = visit.page.evaluate("loaded")
        assert visit.wrong() == []
    assert loaded["bytes"] > 10_000_000
    record_property("python", {**figures, **loaded})
