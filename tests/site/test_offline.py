"""Without a network: what was visited stays, over http and from a disk."""

import shutil
import threading
import zipfile
from pathlib import Path

import pytest

from nlp_dawn.site import offline
from nlp_dawn.site.build import pack
from nlp_dawn.site.server import make_server

pytestmark = pytest.mark.browser

CHAPTER = "book/foundations/divergence.html"
OTHER = "book/notation.html"
UNVISITED = "book/errata.html"


class Site:
    """A copy of the built book below a path of a server, as on a real one."""

    def __init__(self, root: Path, html: Path) -> None:
        self.folder = root / "nlp_dawn"
        shutil.copytree(
            html,
            self.folder,
            # Hard links: the copy takes no room. What a test changes is
            # written anew.
            copy_function=lambda source, target: Path(target).hardlink_to(
                source
            ),
        )
        for name in (offline.WORKER, offline.OFFLINE):
            (self.folder / name).unlink(missing_ok=True)
        (root / "index.html").write_text("Another site.", "utf-8")
        offline.write_worker(self.folder)
        self.server = make_server(root, 0)
        port = self.server.server_address[1]
        self.address = f"http://127.0.0.1:{port}/nlp_dawn"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def edit(self, page: str, old: str, new: str) -> None:
        path = self.folder / page
        text = path.read_text("utf-8")
        assert old in text
        path.unlink()
        path.write_text(text.replace(old, new), "utf-8")
        (self.folder / offline.WORKER).unlink()
        (self.folder / offline.OFFLINE).unlink()
        offline.write_worker(self.folder)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(scope="module")
def copied(html, tmp_path_factory):
    """Return the address of the copy, for tests that do not change it."""
    site = Site(tmp_path_factory.mktemp("site"), html)
    yield site
    site.stop()


@pytest.fixture
def own_copy(html, tmp_path):
    """Return a copy that a test may change or stop."""
    site = Site(tmp_path, html)
    yield site
    site.stop()


@pytest.fixture
def reader(browser):
    """Return a page in whose browser workers may work."""
    context = browser.new_context(service_workers="allow")
    yield context.new_page()
    context.close()


def visit_and_keep(page, address):
    page.goto(address)
    page.wait_for_selector("html[data-kept]", state="attached")


def title(page):
    return page.locator("h1").first.inner_text()


def test_what_was_visited_stays_readable(copied, reader):
    errors = []
    reader.on("pageerror", lambda error: errors.append(str(error)))
    for name in (CHAPTER, OTHER):
        visit_and_keep(reader, f"{copied.address}/{name}")
    reader.context.set_offline(True)
    reader.reload()
    assert "Notation" in title(reader)
    reader.goto(f"{copied.address}/{CHAPTER}")
    assert "How far apart" in title(reader)
    # As it was: style sheets, fonts, and figures that move.
    assert reader.evaluate(
        "document.fonts.ready.then(fonts => [...fonts].filter(f => f.status"
        " == 'loaded').some(f => f.family.includes('KaTeX_Main')))"
    )
    width = reader.evaluate(
        "document.querySelector('.bd-sidebar-primary').clientWidth"
    )
    assert 0 < width < 500
    move_a_slider(reader)
    # What stands behind a question mark is answered in the page.
    reader.goto(f"{copied.address}/{CHAPTER}?any.thing=1#by-hand")
    assert "How far apart" in title(reader)
    assert errors == []


def test_a_page_that_was_not_visited_says_so_kindly(copied, reader):
    visit_and_keep(reader, f"{copied.address}/{CHAPTER}")
    reader.context.set_offline(True)
    reader.goto(f"{copied.address}/{UNVISITED}")
    assert reader.url.endswith(UNVISITED)
    assert "no network" in title(reader)
    assert reader.locator("[lang=zh]").inner_text()
    listed = reader.locator("section a")
    listed.first.wait_for()
    assert listed.all_inner_texts() == [
        "1. How far apart are two distributions?"
    ]
    reader.context.set_offline(False)
    reader.get_by_role("button", name="Try again").click()
    reader.wait_for_selector("article h1")
    assert title(reader).startswith("Errata")


def test_a_new_build_replaces_what_was_kept(own_copy, reader):
    for name in (CHAPTER, OTHER):
        visit_and_keep(reader, f"{own_copy.address}/{name}")
    own_copy.edit(CHAPTER, "How far apart", "How very far apart")
    # Online, a new page is there at once, kept or not.
    visit_and_keep(reader, f"{own_copy.address}/{CHAPTER}")
    assert "How very far apart" in title(reader)
    # The other page changes too; nobody visits it before the network goes.
    own_copy.edit(OTHER, ">Notation<", ">New notation<")
    visit_and_keep(reader, f"{own_copy.address}/{CHAPTER}")
    wait_until(
        reader,
        """async (page) => {
          const kept = await caches.match(page);
          return (await kept.text()).includes("New notation");
        }""",
        f"{own_copy.address}/{OTHER}",
    )
    reader.context.set_offline(True)
    reader.goto(f"{own_copy.address}/{OTHER}")
    assert "New notation" in reader.content()
    reader.goto(f"{own_copy.address}/{CHAPTER}")
    assert "How very far apart" in title(reader)


def wait_until(page, condition, argument):
    """Wait for an asynchronous condition, which Playwright does not."""
    met = page.evaluate(
        """async ([condition, argument]) => {
          const met = eval(condition);
          for (let tries = 0; tries < 600; tries += 1) {
            if (await met(argument)) return true;
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
          return false;
        }""",
        [condition, argument],
    )
    assert met


def test_python_is_kept_at_its_first_use_and_asked_for_once(copied, reader):
    (core,) = copied.folder.glob("_static/python/pyodide-*/pyodide.js")
    name = core.relative_to(copied.folder).as_posix()
    visit_and_keep(reader, f"{copied.address}/{OTHER}")
    reader.reload()
    reader.wait_for_function("navigator.serviceWorker.controller")
    fetching = f"fetch('{copied.address}/{name}').then(r => r.text())"
    first = reader.evaluate(fetching)
    wait_until(
        reader,
        "async (file) => Boolean(await caches.match(file))",
        f"{copied.address}/{name}",
    )
    reader.context.set_offline(True)
    assert reader.evaluate(fetching) == first
    assert len(first) > 1000


def test_the_worker_keeps_to_its_own_site(copied, reader):
    visit_and_keep(reader, f"{copied.address}/{OTHER}")
    reader.context.set_offline(True)
    with pytest.raises(Exception, match="ERR_INTERNET_DISCONNECTED"):
        reader.goto(copied.address.removesuffix("nlp_dawn"))


@pytest.mark.parametrize("fault", ["missing", "broken"])
def test_a_page_works_where_the_worker_does_not(own_copy, reader, fault):
    worker = own_copy.folder / "sw.js"
    worker.unlink()
    if fault == "broken":
        worker.write_text("this is no script", "utf-8")
    errors = []
    reader.on("pageerror", lambda error: errors.append(str(error)))
    reader.goto(f"{own_copy.address}/{CHAPTER}")
    reader.wait_for_load_state("networkidle")
    move_a_slider(reader)
    assert errors == []
    assert (
        reader.evaluate(
            "navigator.serviceWorker.getRegistrations().then(all => all.length)"
        )
        == 0
    )


def move_a_slider(page):
    """Move the page's first slider and wait until the figure has followed."""
    figure = page.locator(
        "nlp-dawn-figure[data-ready]:has(input[type=range])"
    ).first
    slider = figure.locator("input[type=range]").first
    sentence = figure.locator(".sentence p").first
    before = sentence.inner_text()
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_function(
        "([element, before]) => element.innerText !== before",
        arg=[sentence.element_handle(), before],
    )


# What the build writes, which needs no browser --------------------------------


def test_the_version_follows_the_content(tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("One.", "utf-8")
    first = offline.write_worker(site)
    assert offline.write_worker(site) == first
    (site / "index.html").write_text("Two.", "utf-8")
    assert offline.write_worker(site) != first
    written = (site / "sw.js").read_text("utf-8")
    assert "{version}" not in written
    assert "{fixed}" not in written


def test_only_names_with_a_version_are_fixed(tmp_path):
    python = tmp_path / "_static" / "python"
    (python / "pyodide-0.29.3").mkdir(parents=True)
    fixed = ["pyodide-0.29.3/pyodide.asm.wasm", "numpy-2.2.5.whl"]
    fixed.append("nlp_dawn-0123abcd.zip")
    for name in (*fixed, "files.json", "worker.js"):
        (python / name).write_text("content", "utf-8")
    offline.write_worker(tmp_path)
    written = (tmp_path / "sw.js").read_text("utf-8")
    for name in fixed:
        assert f'"_static/python/{name}"' in written
    assert "files.json" not in written
    assert "worker.js" not in written


# The archive ------------------------------------------------------------------


@pytest.fixture(scope="module")
def unpacked(html, tmp_path_factory):
    """Return the book as a reader has it who unpacked the archive."""
    folder = tmp_path_factory.mktemp("reader") / "Meine Bücher 书"
    archive = pack(html, folder / "book.zip")
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    return folder / "nlp_dawn-book"


def test_the_archive_has_nothing_that_a_disk_has_no_use_for(html, unpacked):
    assert not (unpacked / "sw.js").exists()
    assert not (unpacked / "offline.html").exists()
    assert not (unpacked / "_static" / "python").exists()
    pages = {p.relative_to(html) for p in (html / "book").rglob("*.html")}
    assert pages == {
        p.relative_to(unpacked) for p in (unpacked / "book").rglob("*.html")
    }
    size = (unpacked.parent / "book.zip").stat().st_size
    assert size < 15e6


def test_python_for_the_browser_is_packed_where_it_is_wanted(tmp_path):
    site = tmp_path / "site"
    python = site / "_static" / "python"
    python.mkdir(parents=True)
    (site / "index.html").write_text("The book.", "utf-8")
    (python / "worker.js").write_text("// A worker.", "utf-8")
    for wanted in (False, True):
        archive = pack(site, tmp_path / "book.zip", python=wanted)
        names = zipfile.ZipFile(archive).namelist()
        packed = "nlp_dawn-book/_static/python/worker.js" in names
        assert packed == wanted
        assert "nlp_dawn-book/index.html" in names


def test_the_packer_says_how_far_it_is(tmp_path, capsys):
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("The book." * 1000, "utf-8")
    pack(site, tmp_path / "book.zip")
    said = capsys.readouterr().out.splitlines()
    assert "100 % of" in said[-2]
    assert str(tmp_path / "book.zip") in said[-1]
    assert said[-1].endswith(" MB")
    assert not list(tmp_path.glob("*.part"))


def test_the_unpacked_book_opens_and_moves(unpacked, visit):
    page = visit.page
    page.goto((unpacked / "index.html").as_uri())
    page.wait_for_selector("article h1")
    page.goto((unpacked / CHAPTER).as_uri())
    formula = page.locator("div.math .katex-html").first.bounding_box()
    assert formula is not None
    assert formula["width"] > 50
    move_a_slider(page)
    link = page.locator(".bd-sidebar-primary a", has_text="2. From scores")
    link.click()
    page.wait_for_url("**/classification.html")
    move_a_slider(page)
    page.goto(f"{(unpacked / 'search.html').as_uri()}?q=forecasters")
    page.wait_for_selector("#search-results li a")
    found = page.locator("#search-results li a").evaluate_all(
        "links => links.map(link => link.href)"
    )
    assert any(address.endswith(CHAPTER) for address in found)
    assert visit.wrong() == []
