"""The site in Firefox and in WebKit, held to what Chromium shows.

Playwright drives its own builds of these two and not the ones that readers
have. Firefox is spoken to in WebDriver BiDi, which it understands by itself,
WebKit in WebDriver through its own driver (Debian: `firefox-esr`,
`webkit2gtk-driver`, `xvfb`). Where a browser is missing, its tests are
skipped, and on CI they fail.

To check something else in these browsers, add a function to `CHECKS`: it gets
a `Driver`, the address of the server, and a Chromium page to compare with.
"""

import contextlib
import functools
import http.server
import itertools
import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import websocket
from playwright.sync_api import Page

from nlp_dawn.site.doctor import OTHER_BROWSERS

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
DEMONSTRATIONS = ROOT / "tests" / "figures" / "demonstration_page.py"
MINI_BROWSER = "webkit2gtk-4.*/MiniBrowser"
PATIENCE = 60  # seconds for a browser that starts on a busy machine

#: The demonstrations have every kind of control; the chapter is a real page.
PAGES = ("demonstrations.html", "book/foundations/classification.html")

KEYS = {
    "ArrowLeft": "\ue012",
    "ArrowRight": "\ue014",
    "End": "\ue010",
    "Home": "\ue011",
    "PageDown": "\ue00f",
    "PageUp": "\ue00e",
    "Space": " ",
}


class Driver(Protocol):
    """A browser with one page."""

    def open(self, address: str) -> None:
        """Open an address and wait until it is loaded."""

    def run(self, function: str, *arguments: Any) -> Any:
        """Call an async JavaScript function; return what it resolves to."""

    def press(self, key: str) -> None:
        """Press a key of `KEYS` as a reader would, where the focus is."""


#: Starts a browser that keeps its things in a folder.
Browser = Callable[[Path], contextlib.AbstractContextManager[Driver]]


class Firefox:
    """Firefox, spoken to in WebDriver BiDi over a websocket."""

    def __init__(self, address: str) -> None:
        self._numbers = itertools.count(1)
        self._socket = websocket.create_connection(
            f"{address}/session", timeout=PATIENCE, suppress_origin=True
        )
        self._send("session.new", capabilities={})
        # The first window's focus is in its address bar, where the space bar
        # checks no box.
        made = self._send("browsingContext.create", type="window")
        self._context = made["context"]
        self._send(
            "browsingContext.setViewport",
            context=self._context,
            viewport={"width": 1280, "height": 900},
        )

    def _send(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == number:
                assert answer["type"] == "success", answer
                return answer["result"]

    def open(self, address: str) -> None:
        self._send(
            "browsingContext.navigate",
            context=self._context,
            url=address,
            wait="complete",
        )

    def run(self, function: str, *arguments: Any) -> Any:
        answer = self._send(
            "script.callFunction",
            functionDeclaration="async (given) => JSON.stringify("
            f"await ({function})(...JSON.parse(given)) ?? null)",
            arguments=[{"type": "string", "value": json.dumps(arguments)}],
            target={"context": self._context},
            awaitPromise=True,
        )
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])

    def press(self, key: str) -> None:
        self._send(
            "input.performActions",
            context=self._context,
            actions=[key_actions(key)],
        )

    def close(self) -> None:
        self._send("session.end")
        self._socket.close()


class WebKit:
    """WebKit, spoken to in WebDriver over HTTP."""

    def __init__(self, address: str, browser: Path) -> None:
        self._address = f"{address}/session"
        options = {"binary": str(browser), "args": ["--automation"]}
        made = self._send(
            "",
            patience=PATIENCE / 3,
            capabilities={"alwaysMatch": {"webkitgtk:browserOptions": options}},
        )
        self._address += f"/{made['sessionId']}"
        self._send("/timeouts", script=PATIENCE * 1000)

    def _send(
        self,
        command: str,
        method: str = "POST",
        patience: float = PATIENCE,
        **params: Any,
    ) -> Any:
        request = urllib.request.Request(
            self._address + command,
            data=json.dumps(params).encode() if method == "POST" else None,
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=patience) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                pytest.fail(f"{command}: {error.read().decode()}")

    def open(self, address: str) -> None:
        self._send("/url", url=address)

    def run(self, function: str, *arguments: Any) -> Any:
        answer = self._send(
            "/execute/async",
            script=f"""const [given, done] = arguments;
                const tell = (what) => done(JSON.stringify(what));
                ({function})(...JSON.parse(given)).then(
                    (value) => tell({{value: value ?? null}}),
                    (error) => tell({{error: `${{error}}`}}))""",
            args=[json.dumps(arguments)],
        )
        answer = json.loads(answer)
        assert "error" not in answer, answer
        return answer["value"]

    def press(self, key: str) -> None:
        self._send("/actions", actions=[key_actions(key)])

    def close(self) -> None:
        self._send("", method="DELETE")


def key_actions(key: str) -> dict[str, Any]:
    return {
        "type": "key",
        "id": "keyboard",
        "actions": [
            {"type": "keyDown", "value": KEYS[key]},
            {"type": "keyUp", "value": KEYS[key]},
        ],
    }


@contextlib.contextmanager
def process(*command: str, **settings: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a program, and end it and all that it started."""
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **settings,
    ) as started:
        try:
            yield started
        finally:
            os.killpg(started.pid, signal.SIGKILL)


def needed(package: str) -> str:
    """Return where a program is; skip where there is none, but not on CI."""
    programs = OTHER_BROWSERS[package]
    found = next(filter(None, map(shutil.which, programs)), None)
    if found is None:
        reason = f"there is no {programs[0]}; Debian has it in {package}"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found


def line_with(output: Any, words: str) -> str:
    """Return what follows these words in a program's output."""
    said = []
    for line in output:
        said.append(line)
        if words in line:
            return str(line.partition(words)[2].strip())
    pytest.fail(f"the program ended without {words!r}: {said}")


@contextlib.contextmanager
def firefox(folder: Path) -> Iterator[Driver]:
    program = needed("firefox-esr")
    # Nothing is asked of anybody: no updates, no experiments, no portals.
    (folder / "user.js").write_text(
        "".join(
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
            for name, value in {
                "app.normandy.enabled": False,
                "app.update.enabled": False,
                "browser.aboutwelcome.enabled": False,
                "browser.shell.checkDefaultBrowser": False,
                "datareporting.policy.dataSubmissionEnabled": False,
                "network.captive-portal-service.enabled": False,
                "network.connectivity-service.enabled": False,
                "services.settings.server": "data:,",
                "toolkit.telemetry.enabled": False,
            }.items()
        )
    )
    with process(
        program,
        "--headless",
        "--no-remote",
        "--profile",
        str(folder),
        "--remote-debugging-port=0",
        env={**os.environ, "HOME": str(folder)},
    ) as started:
        address = line_with(started.stdout, "WebDriver BiDi listening on ")
        drain(started)
        driver = Firefox(address)
        yield driver
        driver.close()


@contextlib.contextmanager
def screen(folder: Path) -> Iterator[dict[str, str]]:
    """Return the environment of a program with a screen and a home."""
    with process(
        needed("xvfb"),
        "-displayfd",
        "1",
        "-nolisten",
        "tcp",
        "-screen",
        "0",
        "1280x900x24",
    ) as shown:
        assert shown.stdout is not None
        display = shown.stdout.readline().strip()
        drain(shown)
        yield {
            **os.environ,
            "DISPLAY": f":{display}",
            "GDK_BACKEND": "x11",
            "HOME": str(folder),
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "NO_AT_BRIDGE": "1",
            "WEBKIT_DISABLE_DMABUF_RENDERER": "1",
            "XDG_RUNTIME_DIR": str(folder),
        }


@contextlib.contextmanager
def webkit(folder: Path) -> Iterator[Driver]:
    program = needed("webkit2gtk-driver")
    browser = next(Path("/usr/lib").glob(f"*/{MINI_BROWSER}"), None)
    assert browser is not None, "WebKit has a driver and no browser"
    with screen(folder) as environment:
        # Beside another WebKit on the machine, a driver and its browser wait
        # for each other, for ever.
        for last in (False, False, True):
            port = free_port()
            with process(program, f"--port={port}", env=environment) as started:
                drain(started)
                wait_for(port)
                try:
                    driver = WebKit(f"http://127.0.0.1:{port}", browser)
                except TimeoutError:
                    if last:
                        raise
                    continue
                yield driver
                # It is ended in any case.
                with contextlib.suppress(OSError, pytest.fail.Exception):
                    driver.close()
                return


def drain(started: subprocess.Popen[str]) -> None:
    """Read what a program says, so that it never waits to say it."""
    assert started.stdout is not None
    threading.Thread(
        target=functools.partial(list, started.stdout), daemon=True
    ).start()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until a program listens."""
    for _ in range(PATIENCE * 10):
        with socket.socket() as asked:
            asked.settimeout(1)
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                return
        threading.Event().wait(0.1)
    pytest.fail(f"nobody listens at port {port}")


#: Stands first on every page that is served: WebDriver does not tell errors.
WATCH = b"""<script>
    window.wrong = [];
    addEventListener("error", (event) => window.wrong.push(
        event.message || `not loaded: ${event.target.outerHTML}`), true);
    addEventListener("unhandledrejection", (event) => window.wrong.push(
        String(event.reason)));
</script>"""


class Watching(http.server.SimpleHTTPRequestHandler):
    """Serves the book and the demonstrations, with an eye on every page."""

    demonstrations: bytes

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.name == "demonstrations.html":
            page = self.demonstrations
        elif path.suffix == ".html" and path.exists():
            page = path.read_bytes()
        else:
            super().do_GET()
            return
        page = page.replace(b"<head>", b"<head>" + WATCH, 1)
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def watched(
    html: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Return the address of a server of the book that watches for errors."""
    write = runpy.run_path(str(DEMONSTRATIONS))["write"]
    page = write(tmp_path_factory.getbasetemp())
    handler = type(
        "Handler", (Watching,), {"demonstrations": page.read_bytes()}
    )
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(html))
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def driver_of(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[Browser], Driver]]:
    """Return what starts a browser, once: two WebKits wait for each other."""
    with contextlib.ExitStack() as running:

        @functools.cache
        def start(browser: Browser) -> Driver:
            folder = tmp_path_factory.mktemp("browser")
            return running.enter_context(browser(folder))

        yield start


@pytest.fixture(scope="module")
def chromium_page(new_visit: Any) -> Iterator[Page]:
    with new_visit() as visit:
        yield visit.page


FIND = """async () => [...document.querySelectorAll("nlp-dawn-figure")].map(
    (figure) => [figure.id, JSON.parse(
        figure.querySelector("script.figure-controls").textContent)])"""

FOCUS = """async (id, k) => {
    const figure = document.getElementById(id);
    const row = figure.querySelectorAll(".control")[k];
    const input = row.querySelector("input:checked")
        ?? row.querySelector("input");
    input.focus();
    if (document.activeElement !== input) throw new Error("no focus");
    figure.scrollIntoView();
}"""

LISTEN = """async (id) => {
    const figure = document.getElementById(id);
    figure.next = new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error("no frame followed")), 20_000);
        figure.addEventListener("nlp-dawn-painted", resolve, {once: true});
    });
}"""

SEE = """async (id, state) => {
    const figure = document.getElementById(id);
    if (state) await figure.show(state);
    else await figure.next;
    return {
        state: figure.state,
        sentence: figure.querySelector("[aria-live]").textContent,
        pictures: [...figure.querySelectorAll(".panel")].map(
            (panel) => panel.innerHTML),
        values: [...figure.querySelectorAll(".value")].map(
            (value) => value.textContent),
    };
}"""


def keys(kind: str, last: int) -> list[str]:
    """Return keys of which each moves a control, if it stands at its end."""
    if kind == "switch":
        return ["Space", "Space"]
    if kind == "choice":  # it may stand anywhere, and not every browser wraps
        return ["ArrowLeft", "ArrowRight"]
    if last < 2:
        return ["Home", "End"]
    return ["Home", "PageUp", "PageDown", "ArrowRight", "End", "ArrowLeft"]


def check_figures(driver: Driver, address: str, chromium: Page) -> None:
    """Move every control of the figures that have a new kind of control."""
    driver.open(address)
    chromium.goto(address)
    known: set[str] = set()
    for anchor, controls in driver.run(FIND):
        kinds = {control["kind"] for control in controls}
        if kinds <= known:
            continue
        known |= kinds
        for k, control in enumerate(controls):
            last = {control["name"]: control["values"][-1]}
            driver.run(SEE, anchor, last)
            driver.run(FOCUS, anchor, k)
            seen = []
            for key in keys(control["kind"], len(control["values"]) - 1):
                driver.run(LISTEN, anchor)
                driver.press(key)
                seen.append(driver.run(SEE, anchor, None))
            states = [sight["state"][control["name"]] for sight in seen]
            assert all(a != b for a, b in itertools.pairwise(states)), states
            for what in ("sentence", "pictures"):
                assert len({str(sight[what]) for sight in seen}) > 1
            for sight in seen:
                assert sight == chromium.evaluate(
                    f"([id, state]) => ({SEE})(id, state)",
                    [anchor, sight["state"]],
                )
    assert {"number", "choice", "switch"} <= known
    assert driver.run("async () => window.wrong") == []


TO_ANSWER = """async () => [...document.querySelectorAll("div.exercise")]
    .map((box) => [box.id, JSON.parse(
        box.querySelector("script.exercise-data").textContent)])
    .filter(([, data]) => data.kind !== "implement")"""

ANSWER = """async (id, answers) => answers.map((answer) => {
    const box = document.getElementById(id);
    const field = box.querySelector(".exercise-number input");
    if (field) {
        field.value = answer;
        field.dispatchEvent(new Event("input"));
    } else {
        box.querySelector(`input[value="${answer}"]`).click();
    }
    box.querySelector("button.primary").click();
    return box.querySelector(".exercise-status").textContent;
})"""

FOCUS_CHECK = """async (id) => {
    const box = document.getElementById(id);
    box.querySelector(".exercise-status").textContent = "";
    box.querySelector("button.primary").focus();
}"""

STATUS = """async (id) => new Promise((resolve, reject) => {
    const box = document.getElementById(id);
    const status = box.querySelector(".exercise-status");
    setTimeout(() => reject(new Error("nothing is said")), 20_000);
    const look = () => status.textContent
        ? resolve(status.textContent) : setTimeout(look, 10);
    look();
})"""


def check_exercises(driver: Driver, address: str, chromium: Page) -> None:
    """Answer every prediction and number of a page, rightly and wrongly."""
    driver.open(address)
    chromium.goto(address)
    kinds = set()
    for anchor, data in driver.run(TO_ANSWER):
        kinds.add(data["kind"])
        if data["kind"] == "predict":
            answers = list(data["choices"])
        else:
            known = [repr(one["value"]) for one in data["values"]]
            answers = [*known, "", "3,5", "-7/3", "1e999", ".5e-3"]
        said = driver.run(ANSWER, anchor, answers)
        assert said == chromium.evaluate(
            f"([id, answers]) => ({ANSWER})(id, answers)", [anchor, answers]
        )
        assert len(set(said)) > 2
        driver.run(FOCUS_CHECK, anchor)
        driver.press("Space")
        assert driver.run(STATUS, anchor) == said[-1]
    assert kinds == {"predict", "number"}
    assert driver.run("async () => window.wrong") == []


#: What is checked in every browser, and on which pages.
CHECKS: list[tuple[Callable[[Driver, str, Page], None], tuple[str, ...]]] = [
    (check_figures, PAGES),
    (check_exercises, ("book/foundations/divergence.html",)),
]


@pytest.mark.parametrize("start", [firefox, webkit])
@pytest.mark.parametrize(
    ("check", "page"),
    [(check, page) for check, pages in CHECKS for page in pages],
    ids=lambda value: getattr(value, "__name__", None) or Path(value).stem,
)
def test_in_other_browsers(
    driver_of, start, watched, chromium_page, check, page
):
    try:
        check(driver_of(start), f"{watched}/{page}", chromium_page)
    except TimeoutError:
        pytest.fail(
            "the driver of WebKit does not answer; is there another WebKit on "
            "this machine? Two of them wait for each other"
        )
