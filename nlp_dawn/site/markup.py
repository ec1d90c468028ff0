"""The outline of a MyST-Markdown page: text, fences, directives, formulas."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,}|~{3,}|:{3,}) *"
    r"(?:\{(?P<name>[^}]+)\} *(?P<argument>.*?))?(?P<info>[^`{]*?) *$"
)
_DOLLARS = re.compile(r"\$\$[ \t]*(?:\((?P<label>[^)\s]+)\))?[ \t]*$")


@dataclass
class Block:
    """A stretch of a page: text, verbatim code, or a directive."""

    name: str
    line: int
    body: list[str]
    argument: str = ""
    options: dict[str, str] = field(default_factory=dict)
    body_line: int = 0
    #: Spaces before it, where it stands inside an item of a list.
    indent: int = 0


def blocks(lines: Sequence[str], number: int) -> Iterator[Block]:
    """Cut lines, the first of them `number`, at fences and cell breaks."""
    text: list[str] = []
    text_line = number
    place = 0
    while place < len(lines):
        line = lines[place]
        fence = _FENCE.match(line)
        here = number + place
        block: Block | None = None
        end = place + 1
        if fence and (fence["name"] or fence["fence"][0] != ":"):
            block, end = _fenced(lines, place, fence, here)
        elif line.lstrip().startswith("$$"):
            block, end = _dollars(lines, place, here)
        elif re.match(r"^\+\+\+( |$)", line):
            block = Block("break", here, [])
        if block is None:
            if not text:
                text_line = here
            text.append(line)
        else:
            if text:
                yield Block("text", text_line, text)
                text = []
            yield block
        place = end
    if text:
        yield Block("text", text_line, text)


def _fenced(
    lines: Sequence[str], place: int, fence: re.Match[str], here: int
) -> tuple[Block, int]:
    mark, indent = fence["fence"], len(fence["indent"])
    end = place + 1
    closing = re.compile(rf"^ *{re.escape(mark[0])}{{{len(mark)},}} *$")
    depth = 0
    while end < len(lines):
        if closing.match(lines[end]):
            if depth == 0:
                break
            depth -= 1
        elif mark[0] == ":" and re.match(
            rf"^ *:{{{len(mark)}}} *\{{", lines[end]
        ):
            depth += 1  # an inner fence of equal length
        end += 1
    body = [
        line[min(indent, _indent(line)) :] for line in lines[place + 1 : end]
    ]
    if not fence["name"]:
        return Block("verbatim", here, list(lines[place : end + 1])), end + 1
    options, taken = _options(body)
    argument = (fence["argument"] or "") + (fence["info"] or "")
    block = Block(
        fence["name"].strip(),
        here,
        body[taken:],
        argument.strip(),
        options,
        here + 1 + taken,
        indent,
    )
    return block, end + 1


def _dollars(
    lines: Sequence[str], place: int, here: int
) -> tuple[Block | None, int]:
    """Read a formula between double dollars; its label follows them."""
    first = lines[place].strip()
    if first.count("$$") >= 2:  # on one line
        closed = _DOLLARS.search(first, 2)
        if not closed:
            return None, place + 1  # amid a sentence: left as it is
        body, end = [first[2 : closed.start()]], place + 1
    else:
        body, end = [first[2:]], place + 1
        while end < len(lines) and "$$" not in lines[end]:
            body.append(lines[end])
            end += 1
        if end == len(lines):
            return None, place + 1
        closed = _DOLLARS.search(lines[end])
        if not closed:
            return None, place + 1
        body.append(lines[end][: closed.start()])
        end += 1
    options = {"label": closed["label"]} if closed["label"] else {}
    body = [line for line in body if line.strip()]
    indent = _indent(lines[place])
    return Block("math", here, body, "", options, here, indent), end


def _options(body: list[str]) -> tuple[dict[str, str], int]:
    """Return a directive's options and how many lines they take."""
    taken = 0
    options: dict[str, str] = {}
    for line in body:
        match = re.match(r"^:([\w-]+):(?: +(.*))?$", line.strip())
        if not match:
            break
        options[match[1]] = (match[2] or "").strip()
        taken += 1
    if options and taken < len(body) and not body[taken].strip():
        taken += 1
    return options, taken


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
