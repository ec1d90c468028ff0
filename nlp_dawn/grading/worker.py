"""The worker: runs one student's code inside the sandbox and reports.

The launcher starts this file by itself, with ``wire.py`` and NumPy beside it.
It gives up what rights it has, says that it is ready, and obeys requests one
after the other:

``{"op": "run", "source": …, "answer": …}``
    Run a cell in the notebook's namespace; `answer` says whether it is the
    answer, whose lines an error is traced to.
``{"op": "call", "name": …, "args": …, "kwargs": …}``
    Call a function; return its value and which arguments it changed.
``{"op": "read", "name": …}``
    Return a variable's value.

Every reply carries the number of its request. Student code shares this process
and may do with it what it likes: all that a reply can be is an answer, and the
grader believes nothing else of it.
"""

import ctypes
import os
import resource
import sys
from typing import TYPE_CHECKING

_CONFINED = __name__ == "__main__"
_CAPABILITY_VERSION_3 = 0x20080522


def confine(uid: int, memory: int, cpu: int, threads: int) -> None:
    """Give up every right, for good, and take on the limits."""
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_NPROC, threads),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    # The uid took the capabilities along, but for the inheritable ones.
    no_capability = (ctypes.c_uint32 * 6)()
    ctypes.CDLL(None).capset(
        (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), no_capability
    )
    if 0 in (*os.getresuid(), *os.getresgid()):
        sys.exit("the worker still has the rights of root")


if _CONFINED:
    # Before anything else is imported, let alone read.
    confine(*map(int, sys.argv[3:]))
    sys.path[:0] = ["/grader", "/packages"]

import builtins  # noqa: E402
import re  # noqa: E402
import warnings  # noqa: E402
from types import ModuleType  # noqa: E402
from typing import Any, BinaryIO, NoReturn  # noqa: E402

import numpy as np  # noqa: E402

if TYPE_CHECKING or not _CONFINED:
    from nlp_dawn.grading import wire
else:
    import wire

#: What a traceback calls the answer cell.
ANSWER = "<your answer>"
_LONGEST = 2_000
_MISSING = object()

# What only a notebook understands: a magic, a shell command, a question.
_COMMAND = re.compile(r"^([ \t]*)(?:[%!].*|[\w.]+\?{1,2}[ \t]*)$", re.MULTILINE)
_TRANSPARENT = re.compile(r"\A\s*%%(?:time|timeit|capture|prun)\b.*$", re.M)


def main(requests: BinaryIO, replies: BinaryIO) -> None:
    """Obey requests until there are no more."""
    notebook = _new_notebook()
    _send(replies, {"outcome": "ready"})
    while True:
        prefix = requests.read(wire.PREFIX)
        if len(prefix) < wire.PREFIX:
            return
        frame = prefix + requests.read(sum(wire.lengths(prefix)))
        request = wire.decode_frame(frame)
        try:
            reply = _obey(request, notebook.__dict__)
        except BaseException as error:
            reply = _raised(error)
        _send(replies, {**reply, "id": request["id"]})


def _send(replies: BinaryIO, reply: dict[str, Any]) -> None:
    # What is printed and not flushed would be lost if we are killed.
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            continue
    try:
        frame = wire.encode(reply)
    except wire.WireError as error:
        frame = wire.encode(
            {
                "outcome": "raised",
                "type": "ValueError",
                "message": f"what comes back cannot be handed in: {error}",
                "line": None,
                "id": reply["id"],
            }
        )
    replies.write(frame)
    replies.flush()


def _obey(request: dict[str, Any], namespace: dict[str, Any]) -> dict[str, Any]:
    if request["op"] == "run":
        # An earlier cell may have turned warnings into errors.
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
        np.seterr(all="ignore")
        if request["answer"]:
            # The answer is what this cell defines, and nothing before it.
            namespace.pop(request["name"], None)
        exec(_compile(request["source"], request["answer"]), namespace)
        return {"outcome": "returned"}
    value = namespace.get(request["name"], _MISSING)
    if value is _MISSING:
        return {"outcome": "missing"}
    if request["op"] == "read":
        return {"outcome": "returned", "value": value, "changed": []}
    args, kwargs = list(request["args"]), dict(request["kwargs"])
    before = _frames(args, kwargs)
    value = value(*args, **kwargs)
    # Encoded at once, so that a later call cannot change what this one gave.
    after = _frames(args, kwargs)
    changed = [key for key, frame in before.items() if after[key] != frame]
    return {"outcome": "returned", "value": value, "changed": changed}


def _frames(args: list[Any], kwargs: dict[str, Any]) -> dict[int | str, bytes]:
    frames: dict[int | str, bytes] = {}
    values: dict[int | str, Any] = dict(enumerate(args))
    values.update(kwargs)
    for key, value in values.items():
        try:
            frames[key] = wire.encode(value)
        except wire.WireError:
            frames[key] = b""
    return frames


def _compile(source: str, is_answer: bool) -> Any:
    """Compile a cell; without its magics, if it is no Python with them."""
    label = ANSWER if is_answer else "<cell>"
    try:
        return compile(source, label, "exec", dont_inherit=True)
    except SyntaxError:
        plain = _COMMAND.sub(r"\1pass", _TRANSPARENT.sub("", source))
        if plain == source:
            raise
    return compile(plain, label, "exec", dont_inherit=True)


def _raised(error: BaseException) -> dict[str, Any]:
    line = None
    if isinstance(error, SyntaxError) and error.filename == ANSWER:
        line, message = error.lineno, error.msg
    else:
        try:
            message = str(error)
        except BaseException:
            message = ""
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == ANSWER:
                line = trace.tb_lineno
            trace = trace.tb_next
    return {
        "outcome": "raised",
        "type": type(error).__name__,
        "message": message[:_LONGEST],
        "line": line,
    }


def _new_notebook() -> ModuleType:
    """Return the module that the cells are run in, in a notebook's world."""
    exercises = ModuleType("nlp_dawn.exercises")
    exercises.__dict__.update(check=_inert, hint=_inert)
    package = ModuleType("nlp_dawn")
    # A package without a folder: any other part of it is not found.
    package.__dict__.update(exercises=exercises, __path__=[])
    sys.modules |= {"nlp_dawn": package, "nlp_dawn.exercises": exercises}
    builtins.__dict__.update(exit=_exit, quit=_exit)
    notebook = ModuleType("__main__")
    notebook.__dict__.update(
        __builtins__=builtins, check=_inert, hint=_inert, display=_inert
    )
    sys.modules["__main__"] = notebook
    return notebook


def _inert(*args: object, **kwargs: object) -> None:
    return None


def _exit(code: object = None) -> NoReturn:
    raise SystemExit(code)


if _CONFINED:
    with (
        os.fdopen(int(sys.argv[1]), "rb") as _requests,
        os.fdopen(int(sys.argv[2]), "wb") as _replies,
    ):
        main(_requests, _replies)
