"""The weight of a page is what its first visit loads."""

import gzip

from nlp_dawn.site.weight import page_weight


def test_a_page_weighs_what_it_loads_once_and_compressed(tmp_path):
    folder = tmp_path / "book"
    folder.mkdir()
    style, script, picture = b"p {} " * 900, b"let x; " * 800, bytes(range(256))
    (tmp_path / "a b.css").write_bytes(style)
    (tmp_path / "s.js").write_bytes(script)
    (tmp_path / "p.png").write_bytes(picture)
    page = folder / "page.html"
    text = (
        '<link rel="stylesheet" href="../a%20b.css?v=1"/>'
        '<link rel="next" href="other.html"/><link rel="icon" href="data:,"/>'
        '<script src="../s.js"></script><script>let y;</script>'
        '<img src="../p.png"/><img src="../p.png"/><a href="../s.js">s</a>'
    )
    page.write_text(text, "utf-8")
    (folder / "other.html").write_text("not loaded")
    expected = len(picture) + sum(
        len(gzip.compress(part, 6)) for part in (style, script, text.encode())
    )
    assert page_weight(page) == expected
    (tmp_path / "p.png").write_bytes(picture[:100])
    assert page_weight(page) == expected - 156
