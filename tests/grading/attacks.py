"""What students hand in, by accident or on purpose, and what it has to earn.

Two questions of two points each. A hostile notebook attacks in its answer to
the first, or in a cell of its own that runs before either. Where an attack
gets something that it must not have, it prints BREACH.
"""

import json
from dataclasses import dataclass

SOFTMAX = """\
def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()
"""
KL = """\
def kl(p, q):
    return float(np.sum(p * np.log(p / q)))
"""
WRONG_SOFTMAX = """\
def softmax(x):
    return np.full(x.shape, 0.123)
"""
WRONG_KL = """\
def kl(p, q):
    return 0.123
"""
STUB = '''\
def softmax(x):
    """Return the softmax of x."""
    ...
'''


@dataclass(frozen=True)
class Attack:
    """A notebook, the points of its two answers, and the message on one.

    Attributes
    ----------
    softmax, kl : str
        The answer cells; the first is the one under attack.
    scratch : str
        A cell before them, which runs for both questions.
    points : tuple of int
        What has to come out.
    says : str
        A regular expression that the first question's message (of a cheat in
        the scratch cell, its notes too) has to match.
    has_checks : bool
        Whether the check cells were left in the notebook.
    """

    softmax: str = SOFTMAX
    kl: str = KL
    scratch: str = ""
    points: tuple[int, int] = (2, 2)
    says: str = ""
    has_checks: bool = True

    def notebook(self) -> str:
        """Return the text of the notebook."""
        cells = [cell("import numpy as np", "given")]
        cells += [cell(self.scratch)] if self.scratch else []
        for name, source in (("softmax", self.softmax), ("kl", self.kl)):
            cells.append(cell(source, "answer", name))
            if self.has_checks:
                cells.append(cell(f'check("{name}")', "check", name))
        return notebook(cells)


def cell(
    source: str, role: str | None = None, exercise: str | None = None
) -> dict[str, object]:
    """Return a code cell, with our metadata if it has a role."""
    about = {"role": role, "exercise": exercise}
    about = {key: value for key, value in about.items() if value}
    return {
        "cell_type": "code",
        "metadata": {"nlp_dawn": about} if about else {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def notebook(cells: list[dict[str, object]], chapter: str = "a/b") -> str:
    """Return the text of a notebook."""
    return json.dumps(
        {
            "cells": cells,
            "metadata": {"nlp_dawn": {"chapter": chapter, "format": 1}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


def inside(code: str, value: str = "np.full(x.shape, 0.123)") -> str:
    """Return a softmax that runs `code` at every call and returns `value`."""
    body = "\n".join(f"    {line}" for line in code.strip("\n").splitlines())
    return f"def softmax(x):\n{body}\n    return {value}\n"


# The replies' descriptor is among those that the worker was given: write to
# all that can be written to.
_EVERYWHERE = """
import os, struct, json
def everywhere(data):
    for fd in range(3, 64):
        try:
            os.write(fd, data)
        except OSError:
            pass
def frame(header, body=b""):
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    return struct.pack("<II", len(header), len(body)) + header + body
"""
_FORGED = (
    'frame({"d": [["outcome", "returned"], ["value", 1.0], ["points", 2],'
    ' ["passed", True], ["id", "0000000000000000"]]})'
)

_SYSTEM_CALLS = """
import ctypes, platform
libc = ctypes.CDLL(None, use_errno=True)
numbers = {
    "x86_64": dict(ptrace=101, mount=165, unshare=272, bpf=321, setns=308,
                   io_uring_setup=425, keyctl=250, add_key=248, clone3=435,
                   perf_event_open=298, userfaultfd=323, memfd_create=319,
                   process_vm_readv=310, socket=41, fork=57, vfork=58,
                   pidfd_open=434, open_tree=428, shmget=29, personality=135),
    "aarch64": dict(ptrace=117, mount=40, unshare=97, bpf=280, setns=268,
                    io_uring_setup=425, keyctl=219, add_key=217, clone3=435,
                    perf_event_open=241, userfaultfd=282, memfd_create=279,
                    process_vm_readv=270, socket=198, pidfd_open=434,
                    open_tree=428, shmget=194, personality=92),
}[platform.machine()]
arguments = dict(unshare=[0x10000000], ptrace=[16, 1], socket=[2, 1],
                 keyctl=[0, -3], bpf=[0, 0, 0], pidfd_open=[1],
                 io_uring_setup=[1, ctypes.create_string_buffer(256)],
                 shmget=[0, 4096, 0o1600], memfd_create=[b"x", 0],
                 process_vm_readv=[1], mount=[b"none", b"/", b"tmpfs"])
for name, number in numbers.items():
    ctypes.set_errno(0)
    got = libc.syscall(number, *arguments.get(name, []), 0, 0, 0)
    if got != -1 or ctypes.get_errno() not in (1, 38):
        print("BREACH", name, got, ctypes.get_errno())
if libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0) >= 0:
    print("BREACH clone")
try:
    os.fork()
    print("BREACH fork")
except PermissionError:
    pass
"""

_READ_ANSWERS = """
import gc, os, sys
marker = "hidden-" + "5d41402abc4b"
def search(thing):
    if isinstance(thing, bytes):
        return marker.encode() in thing
    return isinstance(thing, str) and marker in thing and thing != marker
for root, folders, files in os.walk("/"):
    for file in files:
        path = os.path.join(root, file)
        if path.startswith("/dev/"):
            continue
        try:
            with open(path, "rb") as opened:
                if marker.encode() in opened.read():
                    print("BREACH", path)
        except OSError:
            pass
frame = sys._getframe()
while frame:
    for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
        if search(value):
            print("BREACH in a frame", frame)
    frame = frame.f_back
for thing in gc.get_objects():
    for part in gc.get_referents(thing):
        if search(part):
            print("BREACH in memory")
for value in [*os.environ.values(), *sys.argv, *sys.orig_argv]:
    if search(value):
        print("BREACH in the environment")
try:
    import nlp_dawn.exercises.judging
    print("BREACH import")
except ImportError:
    pass
"""

_LIAR = """
class Liar(float):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __le__(self, other): return True
    def __ge__(self, other): return True
    def __sub__(self, other): return Liar(0)
    __rsub__ = __sub__
    __hash__ = None
    def __float__(self): return 0.5
"""

#: name: attack. Those from the table of the study come first, in its order.
ATTACKS: dict[str, Attack] = {
    "correct": Attack(),
    "wrong": Attack(WRONG_SOFTMAX, WRONG_KL, points=(0, 0), says="wrong value"),
    "empty": Attack(STUB, "", points=(0, 0), says="Not done yet"),
    "an answer half right": Attack(
        "def softmax(x):\n    e = np.exp(x)\n    return e / e.sum()",
        points=(1, 2),
        says="nan",
    ),
    "raises": Attack(
        inside("raise ValueError('no idea')"),
        points=(0, 2),
        says=r"raises an error in line 2.*ValueError: no idea",
    ),
    "a cell that raises": Attack(
        "1 / 0\n" + SOFTMAX, points=(0, 2), says="line 1.*ZeroDivisionError"
    ),
    "a syntax error": Attack(
        "def softmax(x)\n    return x",
        points=(0, 2),
        says="cannot read.*line 1",
    ),
    "sys.exit in a call": Attack(
        inside("import sys; sys.exit()"), points=(0, 2), says="SystemExit"
    ),
    "sys.exit in the cell": Attack(
        "import sys\nsys.exit(0)\n" + SOFTMAX, points=(0, 2), says="SystemExit"
    ),
    "os._exit in a call": Attack(
        inside("import os; os._exit(0)"),
        points=(0, 2),
        says="ended the process.*status 0",
    ),
    "os._exit in the cell": Attack(
        "import os\nos._exit(3)\n" + SOFTMAX,
        points=(0, 2),
        says="ended the process.*status 3",
    ),
    "os._exit in a scratch cell": Attack(
        scratch="import os; os._exit(0)", says=""
    ),
    "a crash of the interpreter": Attack(
        inside("import ctypes; ctypes.string_at(0)"),
        points=(0, 2),
        says="crashed",
    ),
    "an endless loop": Attack(
        inside("while True: pass"), points=(0, 2), says="did not finish within"
    ),
    "an endless loop that swallows interrupts": Attack(
        inside(
            "import signal\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
            "while True:\n"
            "    try:\n"
            "        while True: pass\n"
            "    except BaseException:\n"
            "        pass"
        ),
        points=(0, 2),
        says="did not finish within",
    ),
    "an endless loop in the cell": Attack(
        "while True: pass\n" + SOFTMAX, points=(0, 2), says="did not finish"
    ),
    "an endless loop in a scratch cell": Attack(scratch="while True: pass"),
    "an endless loop for large inputs only": Attack(
        inside("while x.max() > 100: pass", "np.exp(x) / np.exp(x).sum()"),
        points=(1, 2),
        says="did not finish",
    ),
    "30 GB": Attack(
        inside("np.ones(30 << 27).sum()"), points=(0, 2), says="MemoryError"
    ),
    "2 GB, where 1 is allowed": Attack(
        inside("np.ones(2 << 27).sum()"), points=(0, 2), says="MemoryError"
    ),
    "30 GB in small pieces": Attack(
        inside("held = []\nwhile True: held.append(bytearray(1 << 20))"),
        points=(0, 2),
        # A busy machine may not even get that far.
        says="MemoryError|did not finish",
    ),
    "300 forks": Attack(
        inside(
            "import os, time\n"
            "for _ in range(300):\n"
            "    try:\n"
            "        if os.fork() == 0: time.sleep(60)\n"
            "        print('BREACH')\n"
            "    except OSError:\n"
            "        pass"
        ),
        points=(0, 2),
    ),
    "a fork bomb": Attack(
        inside("import os\nwhile True: os.fork()"),
        points=(0, 2),
        says="PermissionError",
    ),
    "300 threads": Attack(
        inside(
            "import threading, time\n"
            "for _ in range(300):\n"
            "    threading.Thread(target=time.sleep, args=(60,)).start()\n"
            "    if threading.active_count() > 16: print('BREACH')"
        ),
        points=(0, 2),
        says="can't start new thread",
    ),
    "deleted check cells": Attack(has_checks=False),
    "deleted check cells, wrong answers": Attack(
        WRONG_SOFTMAX, WRONG_KL, points=(0, 0), has_checks=False
    ),
    "patched numpy.testing and builtins": Attack(
        WRONG_SOFTMAX,
        WRONG_KL,
        scratch=(
            "import builtins, numpy.testing, unittest\n"
            "for name in dir(numpy.testing):\n"
            "    if name.startswith('assert'):\n"
            "        setattr(numpy.testing, name, lambda *a, **k: None)\n"
            "np.allclose = np.isclose = np.array_equal = "
            "lambda *a, **k: np.True_\n"
            "np.abs = np.absolute = lambda x: np.zeros_like(x)\n"
            "builtins.all = builtins.any = lambda x: True\n"
            "builtins.abs = lambda x: 0\n"
        ),
        points=(0, 0),
    ),
    "patched grader": Attack(
        inside(
            "import gc, sys, types\n"
            "for module in list(sys.modules.values()):\n"
            "    for name in ('judge', 'verdict', 'check', 'grade'):\n"
            "        if hasattr(module, name):\n"
            "            setattr(module, name, lambda *a, **k: 2)\n"
            "for thing in gc.get_objects():\n"
            "    if isinstance(thing, dict) and 'outcome' in thing:\n"
            "        thing['outcome'] = 'passed'; thing['points'] = 2\n"
        ),
        points=(0, 2),
    ),
    "a patched worker": Attack(
        inside(
            "import sys\n"
            "wire = sys.modules['wire']\n"
            "encode = wire.encode\n"
            "wire.encode = lambda reply: encode(\n"
            "    {**reply, 'value': True, 'points': 2, 'passed': True})"
        ),
        points=(0, 2),
    ),
    "a float that equals everything": Attack(
        WRONG_SOFTMAX,
        _LIAR + "def kl(p, q):\n    return Liar(0.5)",
        points=(0, 0),
    ),
    "an array that equals everything": Attack(
        "class Liar(np.ndarray):\n"
        "    def __eq__(self, other): return np.ones(self.shape, bool)\n"
        "    def __array_ufunc__(self, *a, **k): return np.zeros(self.shape)\n"
        "    def __sub__(self, other): return np.zeros(self.shape)\n"
        "    __rsub__ = __sub__\n"
        "def softmax(x):\n"
        "    return np.full(x.shape, 0.123).view(Liar)",
        points=(0, 2),
        says="an array of the special type Liar",
    ),
    "an object with __array__": Attack(
        "class Liar:\n"
        "    shape = (2,); dtype = np.dtype(float)\n"
        "    def __eq__(self, other): return True\n"
        "    def __array__(self, *a, **k): return np.zeros(2)\n"
        "    __class__ = np.ndarray\n"
        "def softmax(x):\n"
        "    return Liar()",
        points=(0, 2),
        says="type Liar",
    ),
    "reading the answers": Attack(inside(_READ_ANSWERS), points=(0, 2)),
    "reading the answers while cells run": Attack(
        _READ_ANSWERS + WRONG_SOFTMAX, points=(0, 2)
    ),
    "writing outside": Attack(
        inside(
            "import os\n"
            "for root, folders, files in os.walk('/'):\n"
            "    for path in (root, *(os.path.join(root, f) for f in files)):\n"
            "        if os.access(path, os.W_OK) and root != '/dev':\n"
            "            print('BREACH', path)\n"
            "    try:\n"
            "        open(os.path.join(root, 'note'), 'w')\n"
            "        print('BREACH wrote to', root)\n"
            "    except OSError:\n"
            "        pass\n"
            "for change in (lambda: os.chmod('/python', 0o777),\n"
            "               lambda: os.remove('/grader/worker.py'),\n"
            "               lambda: os.mkdir('/x'),\n"
            "               lambda: os.symlink('/', '/x'),\n"
            "               lambda: os.mknod('/dev/sda', 0o60600, 0x800)):\n"
            "    try:\n"
            "        change()\n"
            "        print('BREACH changed a file')\n"
            "    except OSError:\n"
            "        pass"
        ),
        points=(0, 2),
    ),
    "filling what can be written to": Attack(
        inside(
            "import os\n"
            "for path in ('/tmp', '/dev/shm', '/run', '/var', '/', '/dev'):\n"
            "    try:\n"
            "        for i in range(100):\n"
            "            with open(f'{path}/{i}', 'wb') as file:\n"
            "                file.write(bytes(1 << 20))\n"
            "        print('BREACH', path)\n"
            "    except OSError:\n"
            "        pass"
        ),
        points=(0, 2),
    ),
    "sockets": Attack(
        inside(
            "import socket\n"
            "for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX,\n"
            "               socket.AF_NETLINK):\n"
            "    try:\n"
            "        socket.socket(family)\n"
            "        print('BREACH', family)\n"
            "    except OSError:\n"
            "        pass\n"
            "try:\n"
            "    socket.socketpair()\n"
            "    print('BREACH socketpair')\n"
            "except OSError:\n"
            "    pass"
        ),
        points=(0, 2),
    ),
    "a planted result": Attack(
        inside(
            "import json, os, sys\n"
            "result = json.dumps({'softmax': 2, 'kl': 2, 'points': 2,\n"
            "                     'outcome': 'passed', 'status': 'passed'})\n"
            "print(result, flush=True)\n"
            "for path in ('results.json', '/results.json', '/tmp/r.json'):\n"
            "    try:\n"
            "        open(path, 'w').write(result)\n"
            "        print('BREACH')\n"
            "    except OSError:\n"
            "        pass"
        ),
        points=(0, 2),
    ),
    "a pickle": Attack(
        _EVERYWHERE
        + "import pickle\n"
        + "class Bomb:\n"
        + "    def __reduce__(self):\n"
        + "        return os.system, ('touch /BREACH',)\n"
        + inside("everywhere(frame(pickle.dumps(Bomb())))", "Bomb()"),
        points=(0, 2),
    ),
    "a returned pickle bomb": Attack(
        "import os\n"
        "class Bomb:\n"
        "    def __reduce__(self):\n"
        "        return os.system, ('touch /BREACH',)\n"
        "def softmax(x):\n"
        "    return np.array([Bomb()] * len(x), dtype=object)",
        points=(0, 2),
        says="an array of dtype object",
    ),
    "a background process that tampers later": Attack(
        inside(
            "import os, subprocess, multiprocessing\n"
            "for start in (\n"
            "    lambda: os.fork(),\n"
            "    lambda: os.posix_spawn('/python/bin/python3', ['x'], {}),\n"
            "    lambda: subprocess.Popen(['/python/bin/python3']),\n"
            "    lambda: multiprocessing.get_context('fork')\n"
            "        .Process(target=print).start(),\n"
            "):\n"
            "    try:\n"
            "        start()\n"
            "        print('BREACH')\n"
            "    except OSError:\n"
            "        pass"
        ),
        points=(0, 2),
    ),
    "a background thread that tampers later": Attack(
        _EVERYWHERE
        + "import threading, time\n"
        + "def later():\n"
        + "    while True:\n"
        + f"        everywhere({_FORGED})\n"
        + "        time.sleep(0.001)\n"
        + "threading.Thread(target=later, daemon=True).start()\n"
        + inside("time.sleep(0.05)"),
        points=(0, 2),
    ),
    "killing the parent": Attack(
        inside(
            "import os, signal\n"
            "for pid in (os.getppid(), 1, 0, -1, *range(2, 200)):\n"
            "    for number in (signal.SIGKILL, signal.SIGTERM):\n"
            "        if pid != os.getpid():\n"
            "            try:\n"
            "                os.kill(pid, number)\n"
            "            except OSError:\n"
            "                pass"
        ),
        points=(0, 2),
    ),
    "100 MB printed": Attack(
        inside(
            "import os\n"
            "for _ in range(100):\n"
            "    os.write(1, b'x' * (1 << 20))",
        ),
        points=(0, 2),
    ),
    "os.chdir('/') and a right answer": Attack(
        scratch="import os\nos.chdir('/')"
    ),
    "warnings of NumPy and a right answer": Attack(
        inside(
            "np.log(np.zeros(3)); np.float64(1) / np.float64(0)",
            "(lambda e: e / e.sum())(np.exp(x - x.max()))",
        ),
    ),
    "warnings made errors, and a right answer": Attack(
        scratch=(
            "import warnings\n"
            "warnings.simplefilter('error')\n"
            "np.seterr(all='raise')"
        ),
        softmax="np.log(np.zeros(3))\n"
        + inside(
            "np.log(np.zeros(3))",
            "(lambda e: e / e.sum())(np.exp(x - x.max()))",
        ),
    ),
    # What was found only by attacking the first sandbox.
    "forged replies": Attack(
        _EVERYWHERE + inside(f"everywhere({_FORGED} * 50)"), points=(0, 2)
    ),
    "forged replies of the right form": Attack(
        _EVERYWHERE
        + inside(
            "import sys\n"
            "caller = sys._getframe(2).f_locals\n"
            "number = caller.get('request', {}).get('id', '0' * 16)\n"
            "everywhere(frame({'d': [['outcome', 'passed'], ['points', 2],\n"
            "                        ['id', number]]}))"
        ),
        points=(0, 2),
    ),
    "a flood of replies": Attack(
        _EVERYWHERE
        + inside(
            "import threading\n"
            "flood = frame(b'[', bytes(1 << 26))\n"
            "for _ in range(8):\n"
            "    threading.Thread(target=everywhere, args=(flood,)).start()\n"
            "while True: everywhere(flood)"
        ),
        points=(0, 2),
    ),
    "a reply said to be endless": Attack(
        _EVERYWHERE
        + inside("everywhere(struct.pack('<II', 2**32 - 1, 2**32 - 1))"),
        points=(0, 2),
        says="too large",
    ),
    "a reply nested without end": Attack(
        _EVERYWHERE
        + inside("everywhere(frame(b'[' * 1_000_000))\nwhile True: pass"),
        points=(0, 2),
        says="nested too deep",
    ),
    "a reply with an array of objects": Attack(
        _EVERYWHERE
        + inside("everywhere(frame({'a': ['|O', [2], 0]}, bytes(16)))"),
        points=(0, 2),
        says="no message",
    ),
    "a reply with half a surrogate pair": Attack(
        inside("raise ValueError('\\ud800' * 3)"), points=(0, 2), says="\\?"
    ),
    "replies out of order from a thread": Attack(
        # What would be the right answer to the next case, sent early.
        _EVERYWHERE
        + "import threading, time\n"
        + inside(
            "def late(value=x.tolist()):\n"
            "    time.sleep(0.01)\n"
            "    everywhere(frame({'d': [['outcome', 'returned'],\n"
            "        ['value', {'l': value}], ['changed', {'l': []}],\n"
            "        ['id', '0' * 16]]}))\n"
            "threading.Thread(target=late).start()\n"
            "time.sleep(0.02)"
        ),
        points=(0, 2),
        says="something else",
    ),
    "system calls": Attack(
        "import os\n" + inside(_SYSTEM_CALLS), points=(0, 2)
    ),
    "rights of root": Attack(
        inside(
            "import ctypes, os\n"
            "if 0 in (*os.getresuid(), *os.getresgid(), *os.getgroups()):\n"
            "    print('BREACH', os.getresuid(), os.getresgid())\n"
            "for regain in (lambda: os.setuid(0), lambda: os.setgid(0),\n"
            "               lambda: os.setgroups([0]),\n"
            "               lambda: os.seteuid(0), lambda: os.chroot('/')):\n"
            "    try:\n"
            "        regain()\n"
            "        print('BREACH')\n"
            "    except OSError:\n"
            "        pass\n"
            "header = (ctypes.c_uint32 * 2)(0x20080522, 0)\n"
            "sets = (ctypes.c_uint32 * 6)()\n"
            "libc = ctypes.CDLL(None)\n"
            "if libc.capget(header, sets) or any(sets):\n"
            "    print('BREACH capabilities', list(sets))\n"
            "if libc.prctl(39, 0, 0, 0, 0) != 1:\n"
            "    print('BREACH new privileges')"
        ),
        points=(0, 2),
    ),
    "looking at processes and mounts": Attack(
        inside(
            "import os\n"
            "if os.path.exists('/proc/1/cmdline'):\n"
            "    print('BREACH', open('/proc/1/cmdline').read())\n"
            "for path in ('/proc', '/sys', '/etc', '/home', '/root', '/usr',\n"
            "             '/var', '/mnt', '/tmp', '/dev/shm', '/run'):\n"
            "    if os.path.exists(path): print('BREACH', path)\n"
            "import sys\n"
            "print(sys.argv, sys.orig_argv, dict(os.environ), os.getcwd())"
        ),
        points=(0, 2),
    ),
    "descriptors of the grader": Attack(
        inside(
            "import os\n"
            "found = []\n"
            "for fd in range(3, 1024):\n"
            "    try:\n"
            "        os.fstat(fd); found.append(fd)\n"
            "    except OSError:\n"
            "        pass\n"
            "if len(found) > 2: print('BREACH', found)"
        ),
        points=(0, 2),
    ),
    "raising the limits": Attack(
        inside(
            "import resource\n"
            "for limit in (resource.RLIMIT_AS, resource.RLIMIT_NPROC,\n"
            "              resource.RLIMIT_CPU, resource.RLIMIT_FSIZE):\n"
            "    try:\n"
            "        resource.setrlimit(limit, (-1, -1))\n"
            "        print('BREACH')\n"
            "    except (ValueError, OSError):\n"
            "        pass"
        ),
        points=(0, 2),
    ),
    "importing the book's answer": Attack(
        "from nlp_dawn.foundations.classification import softmax",
        points=(0, 2),
        says="Write this yourself: `nlp_dawn` is not there when graded",
    ),
    "importing SciPy's answer": Attack(
        "from scipy.special import softmax",
        points=(0, 2),
        says="Write this yourself: `scipy` is not there when graded",
    ),
    "importing torch": Attack(
        inside("import torch"),
        points=(0, 2),
        says="Write this yourself: `torch` is not there when graded",
    ),
    "checks that run in the answer's cell": Attack(
        "from nlp_dawn.exercises import check, hint\n"
        + SOFTMAX
        + "check('softmax')\nhint('softmax', 2)"
    ),
    "magics, as notebooks have them": Attack(
        "%matplotlib inline\n!pip install numpy\n" + SOFTMAX + "softmax?\n"
    ),
    "input() in the answer": Attack(
        inside("input('?')"), points=(0, 2), says="EOFError"
    ),
    "an integer without end": Attack(
        "def softmax(x):\n    return 10**5000", points=(0, 2), says="digits"
    ),
    "an integer beyond every float": Attack(
        kl="def kl(p, q):\n    return 10**400", points=(2, 0)
    ),
    "a huge value": Attack(
        inside("", "np.zeros(40_000_000)").replace("\n\n", "\n"),
        points=(0, 2),
        says="too large",
    ),
}
