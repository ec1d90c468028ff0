"""The part of a page's code that one figure needs, and nothing else.

A chapter has hundreds of lines of code; a figure is drawn by twenty of them.
Whoever takes a figure home gets those: the draw function, what it calls, what
that was made from, back to the imports. It is a slice of the program in
Weiser's sense, taken backwards from the call of ``explore``.

What a statement does to a name is read from the code, with one exception:
whether an object changes when it is merely used, as a random generator does,
is asked of the object itself. So the slice is a good guess and not a proof;
the tests of the site run every figure's and compare.
"""

import ast
import symtable
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from nlp_dawn.figures.states import Exploration

#: Calls that show something and change nothing.
ONLY_SHOW = frozenset({"display", "explore", "glue", "print"})

#: Calls that change an argument though their value is kept, and which one:
#: training changes the parameters and returns its history.
CHANGED_ARGUMENT = {"train": 1}

_SIMPLE = (ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.ClassDef)
_IMPORTS = (ast.Import, ast.ImportFrom)
_LINE = 80


@dataclass(frozen=True)
class Excerpt:
    """What a figure needs to be drawn elsewhere.

    Attributes
    ----------
    imports : frozenset of str
        One statement each.
    code : str
        The other statements, in the order of the page.
    draw : str
        The expression that is the draw function.
    data : str
        The expression that was passed as ``data``, or nothing.
    """

    imports: frozenset[str]
    code: str
    draw: str
    data: str = ""


@dataclass(frozen=True)
class Statement:
    """One statement of a page, and what it does to the page's names."""

    text: str
    node: ast.stmt
    cell: int
    binds: frozenset[str]
    changes: frozenset[str]
    uses: frozenset[str]
    later: frozenset[str]  # what the functions it defines will use when called

    @classmethod
    def of(
        cls, node: ast.stmt, text: str, cell: int, stateful: Collection[str]
    ) -> "Statement":
        """Read a statement."""
        table = symtable.symtable(ast.unparse(node), "<cell>", "exec")
        symbols = table.get_symbols()
        within = set(_globals_of(table.get_children()))
        used = {s.get_name() for s in symbols if s.is_referenced()}
        binds = {
            s.get_name() for s in symbols if s.is_assigned() or s.is_imported()
        }
        definition = isinstance(node, ast.FunctionDef)
        return cls(
            text=text,
            node=node,
            cell=cell,
            binds=frozenset(binds),
            changes=frozenset(_changed(node, stateful)),
            uses=frozenset(used | within),
            later=frozenset(within if definition else ()),
        )

    @property
    def replaces(self) -> frozenset[str]:
        """The names whose former value is gone after it."""
        if isinstance(self.node, (*_SIMPLE, *_IMPORTS)):
            return self.binds
        return frozenset()


def program(
    exploration: Exploration,
    cells: Sequence[str],
    stateful: Collection[str] = (),
) -> tuple[str, str] | None:
    """Write the program that draws one state of a figure, but for the state.

    Plain matplotlib at the end, so that it runs in a notebook and as a script
    alike, and the picture can be changed and saved.

    Parameters
    ----------
    exploration : Exploration
        The figure.
    cells, stateful
        See :func:`excerpt`.

    Returns
    -------
    (str, str) or None
        What stands before and after the state, which is written
        ``tau=0.5, stable=True``.
    """
    found = excerpt(cells, exploration.id, stateful)
    if found is None:
        return None
    width, height = exploration.figsize
    shape = f"1, {exploration.panels}, " if exploration.panels > 1 else ""
    size = f"figsize=({exploration.panels * width:.4g}, {height:.4g})"
    needed = {
        *found.imports,
        "import matplotlib.pyplot as plt",
        "from nlp_dawn.figures import style",
    }
    imports = "\n".join(sorted(needed, key=lambda s: (s[0] == "f", s)))
    draw = found.draw if found.draw.isidentifier() else f"({found.draw})"
    data = f", data={found.data}" if found.data else ""
    return (
        f"{imports}\n\n{found.code}\n\n\n"
        'with plt.rc_context({**style.RC, "figure.facecolor": "white"}):\n'
        f'    _, axes = plt.subplots({shape}{size}, layout="constrained")\n'
        f"    print({draw}(axes, ",
        f"{data}))\n    plt.show()\n",
    )


def excerpt(
    cells: Sequence[str], id: str, stateful: Collection[str] = ()
) -> Excerpt | None:
    """Take from a page's cells what its figure `id` needs.

    Parameters
    ----------
    cells : sequence of str
        The code that ran, in order, up to the cell that shows the figure.
    id : str
        The figure's, as it stands in the last cell's call of ``explore``.
    stateful : collection of str
        Names of objects that change when they are used.

    Returns
    -------
    Excerpt or None
        None where no such call is written out in the last cell.

    Examples
    --------
    >>> cells = ["from math import cos, pi", "a = 2 * pi; b = 3"]
    >>> call = "explore(lambda axes, k: str(k * a), id='x')"
    >>> excerpt([*cells, call], "x").imports
    frozenset({'from math import pi'})
    """
    statements = list(_statements(cells, stateful))
    call = None
    while statements and call is None:
        call = _call(statements.pop().node, id)
    if call is None or not call.args:
        return None
    draw = ast.unparse(call.args[0])
    data = next(
        (ast.unparse(k.value) for k in call.keywords if k.arg == "data"), ""
    )
    wanted = _names(draw) | (_names(data) if data else set())
    chosen, names = _slice(statements, wanted)
    return Excerpt(
        imports=frozenset(_imports(chosen, names)),
        code=_written([s for s in chosen if not isinstance(s.node, _IMPORTS)]),
        draw=draw,
        data=data,
    )


def _statements(
    cells: Sequence[str], stateful: Collection[str]
) -> Iterator[Statement]:
    for number, cell in enumerate(cells):
        try:
            body = ast.parse(cell).body
        except SyntaxError:  # a cell that shows what cannot be written
            continue
        lines = cell.splitlines()
        end = 0
        for node in body:
            decorators = getattr(node, "decorator_list", [])
            start = min([node.lineno, *(d.lineno for d in decorators)]) - 1
            while start > end and lines[start - 1].startswith("#"):
                start -= 1
            end = node.end_lineno or node.lineno
            text = "\n".join(lines[start:end]).rstrip()
            yield Statement.of(node, text, number, stateful)


def _call(node: ast.stmt, id: str) -> ast.Call | None:
    for call in ast.walk(node):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name | ast.Attribute)
            and ast.unparse(call.func).split(".")[-1] == "explore"
            and any(
                keyword.arg == "id"
                and isinstance(keyword.value, ast.Constant)
                and keyword.value.value == id
                for keyword in call.keywords
            )
        ):
            return call
    return None


def _slice(
    statements: Sequence[Statement], wanted: set[str]
) -> tuple[list[Statement], set[str]]:
    """Walk backwards and keep what makes or changes a name that is needed.

    A function's names get their values when it is called, not where it is
    defined: those of a function that is kept are wanted from the end, and
    the walk begins again.
    """
    while True:
        names, needed = set(wanted), set(wanted)
        chosen: list[Statement] = []
        for statement in reversed(statements):
            if not needed & (statement.binds | statement.changes):
                continue
            chosen.append(statement)
            needed -= statement.replaces
            needed |= statement.uses
            names |= statement.uses
            if not statement.later <= wanted:
                wanted = wanted | statement.later
                break
        else:
            return chosen[::-1], names


def _globals_of(tables: Iterable[symtable.SymbolTable]) -> Iterator[str]:
    for table in tables:
        yield from (s.get_name() for s in table.get_symbols() if s.is_global())
        yield from _globals_of(table.get_children())


def _names(expression: str) -> set[str]:
    table = symtable.symtable(expression, "<call>", "eval")
    used = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    return used | set(_globals_of(table.get_children()))


def _changed(node: ast.stmt, stateful: Collection[str]) -> Iterator[str]:
    """Yield the names whose objects a statement changes in place."""
    for part in _executed(node):
        if isinstance(part, ast.Subscript | ast.Attribute) and isinstance(
            part.ctx, ast.Store | ast.Del
        ):
            yield from _root(part)
        elif isinstance(part, ast.AugAssign):
            yield from _root(part.target)
        elif isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            call = part.value
            if ast.unparse(call.func).split(".")[-1] in ONLY_SHOW:
                continue
            if isinstance(call.func, ast.Attribute):
                yield from _root(call.func)
            for argument in call.args:
                yield from _root(argument)
        elif isinstance(part, ast.Assign) and isinstance(part.value, ast.Call):
            call = part.value
            place = CHANGED_ARGUMENT.get(ast.unparse(call.func).split(".")[-1])
            if place is not None and place < len(call.args):
                yield from _root(call.args[place])
        elif isinstance(part, ast.Name) and part.id in stateful:
            yield part.id


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """Walk through what runs when the statement runs."""
    yield node
    if isinstance(node, ast.FunctionDef | ast.Lambda):
        return
    for child in ast.iter_child_nodes(node):
        yield from _executed(child)


def _root(node: ast.expr) -> Iterator[str]:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id


def _imports(chosen: Sequence[Statement], names: set[str]) -> Iterator[str]:
    """Yield the imports of names that are needed, a module's in one."""
    modules: dict[str, set[str]] = {}
    for statement in chosen:
        node = statement.node
        if not isinstance(node, _IMPORTS):
            continue
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            if bound not in names:
                continue
            written = ast.unparse(alias)
            if isinstance(node, ast.ImportFrom):
                modules.setdefault(node.module or "", set()).add(written)
            else:
                yield f"import {written}"
    for module, wanted in modules.items():
        yield _from(module, sorted(wanted))


def _from(module: str, names: Sequence[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= _LINE:
        return line
    inside = "".join(f"    {name},\n" for name in names)
    return f"from {module} import (\n{inside})"


def _written(statements: Sequence[Statement]) -> str:
    """Write statements as on the page, with air between cells."""
    text = ""
    before: Statement | None = None
    for statement in statements:
        if before is not None:
            definition = isinstance(
                statement.node, ast.FunctionDef | ast.ClassDef
            ) or isinstance(before.node, ast.FunctionDef | ast.ClassDef)
            apart = definition or before.cell != statement.cell
            text += "\n\n" if apart else "\n"
        text += statement.text
        before = statement
    return text
