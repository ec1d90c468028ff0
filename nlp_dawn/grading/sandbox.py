"""One process for one question, in a sandbox that nothing gets out of.

The worker runs under bubblewrap. It sees a file system that holds Python's
standard library, NumPy, the shared libraries that these two load, its own two
files, and nothing to write to; no network, no other process, no ``/proc``; it
has an unprivileged uid, no capability and no way to a new one. A seccomp
filter refuses new processes and the system calls through which kernels are
attacked; resource limits bound memory, time and threads; the launcher stops
reading what has become too much.

There are two ways in. An ordinary user gets a user namespace. Root does not
need one, and has to reach a Python that may lie below a closed home: the
launcher binds as root, keeps the two capabilities that change the uid, and the
worker drops to a uid that no other process has before it reads anything.
"""

import contextlib
import errno
import functools
import importlib.util
import itertools
import json
import mmap
import os
import secrets
import selectors
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

from nlp_dawn.grading import wire

#: What the sandbox cannot do without, as one sentence each.
INSTALL_BUBBLEWRAP = (
    "install bubblewrap (on Debian and Ubuntu: sudo apt install bubblewrap)"
)
INSTALL_SECCOMP = (
    "install libseccomp and its Python binding (on Debian and Ubuntu: sudo "
    "apt install libseccomp2; then: pip install 'nlp-dawn[grade]')"
)

# The uid inside where root starts the sandbox: above every uid that a system
# hands out, and different for every worker, since the kernel counts processes
# per uid.
_FIRST_UID = 1 << 30
_counter = itertools.count()

_HERE = Path(__file__).resolve().parent
_FILES = ("worker.py", "wire.py")


class SandboxUnavailableError(Exception):
    """No sandbox can be started on this machine; says what to do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy


class WorkerError(Exception):
    """The worker is of no more use; the sandbox has to be closed."""


class WorkerDiedError(WorkerError):
    """The worker's process ended by itself."""


class WorkerTimeoutError(WorkerError):
    """The worker did not answer in time."""


class WorkerProtocolError(WorkerError):
    """The worker sent something that is no reply to what it was asked."""


class StoppedError(Exception):
    """Grading was stopped from outside; nothing can be said of the worker."""


@dataclass(frozen=True)
class Limits:
    """What one worker may use.

    Attributes
    ----------
    memory : int
        Bytes of address space. No second process can be started, so that this
        bounds what the question uses.
    cpu : int
        Seconds of processor time, a bound behind the deadlines.
    threads : int
        Threads of the one process.
    output : int
        Bytes of printed text that are kept; the rest is counted.
    start : float
        Seconds that Python and NumPy have to start.
    """

    memory: int = 1 << 30
    cpu: int = 120
    threads: int = 16
    output: int = 64 << 10
    start: float = 30.0


# --- what the sandbox holds -----------------------------------------------


@dataclass(frozen=True)
class _Runtime:
    """Which files of the host make Python and NumPy, and where they go."""

    binds: tuple[tuple[str, str], ...]
    emptied: tuple[str, ...]
    python: str


# Run with the interpreter that will run the worker: it loads what a student
# may import and says which libraries the system mapped for it.
_PROBE = """
import importlib, json, os, sys, sysconfig, warnings
warnings.simplefilter("ignore")
# Of the installation itself, not of a virtual environment.
bases = {"installed_base": sys.base_prefix, "platbase": sys.base_exec_prefix}
folder = os.path.join(
    sysconfig.get_path("platstdlib", vars=bases), "lib-dynload"
)
names = [name.split(".")[0] for name in sorted(os.listdir(folder))]
skipped = ("_test", "_xx", "xx", "_tkinter", "_curses", "readline", "nis",
           "ossaudiodev", "_dbm", "_gdbm", "spwd", "audioop")
for name in names + ["numpy.fft", "numpy.linalg", "numpy.random"]:
    if not name.startswith(skipped):
        try:
            importlib.import_module(name)
        except ImportError:
            pass
import ctypes
try:
    ctypes.CDLL("libgcc_s.so.1")  # glibc loads it when a thread ends
except OSError:
    pass
with open("/proc/self/maps") as maps:
    columns = [line.rstrip("\\n").split(None, 5) for line in maps]
paths = {row[5] for row in columns if len(row) == 6 and row[5][:1] == "/"}
json.dump({
    "mapped": sorted(paths),
    "numpy": os.path.dirname(sys.modules["numpy"].__file__),
    "stdlib": sysconfig.get_path("stdlib", vars=bases),
    "platstdlib": sysconfig.get_path("platstdlib", vars=bases),
    "platlibdir": sys.platlibdir,
}, sys.stdout)
"""


@functools.cache
def _runtime() -> _Runtime:
    """Find Python, NumPy and their shared libraries, once per process."""
    numpy = importlib.util.find_spec("numpy")
    assert numpy is not None
    assert numpy.origin is not None
    site = Path(numpy.origin).parent.parent
    # Without `site`, and with nothing of the environment but the path: the
    # probe has to see what the worker will see.
    probe = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.append({str(site)!r})\n{_PROBE}",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )
    if probe.returncode:
        raise SandboxUnavailableError(
            "Python and NumPy do not start by themselves: "
            + probe.stderr.decode("utf-8", "replace").strip()[-300:],
            "",
        )
    found = json.loads(probe.stdout)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = Path(sys.executable).resolve()
    standard = Path(found["stdlib"])
    platform = Path(found["platstdlib"])
    numpy_folder = Path(found["numpy"])
    inside = f"/python/{found['platlibdir']}/{version}"
    binds = {
        "/python/bin/python3": str(python),
        f"/python/lib/{version}": str(standard),
        "/packages/numpy": str(numpy_folder),
        **{f"/grader/{name}": str(_HERE / name) for name in _FILES},
    }
    if platform != standard:
        binds[inside] = str(platform)
    bundled = numpy_folder.with_name("numpy.libs")
    if bundled.is_dir():
        binds["/packages/numpy.libs"] = str(bundled)
    own = tuple(
        f"{folder}/"
        for folder in {standard, platform, numpy_folder, bundled}
        | {path.resolve() for path in (standard, platform, numpy_folder)}
    )
    libraries = [
        Path(path)
        for path in found["mapped"]
        if ".so" in Path(path).name and not path.startswith(own)
    ]
    for name, path in _sonames(libraries):
        binds[f"/lib/{name}"] = str(path)
    loader = _loader(python)
    if loader:
        binds[loader] = loader
    emptied = tuple(
        f"{target}/{name}"
        for target, source in binds.items()
        if target.startswith("/python/lib")
        for name in ("site-packages", "dist-packages")
        if (Path(source) / name).is_dir()
    )
    return _Runtime(
        tuple((source, target) for target, source in sorted(binds.items())),
        emptied,
        "/python/bin/python3",
    )


def _sonames(libraries: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Yield each library under every name that it has in its folder.

    The system maps ``libz.so.1.2.13``, but programs ask for ``libz.so.1``.
    """
    for folder in {library.parent for library in libraries}:
        wanted = {os.path.realpath(x) for x in libraries if x.parent == folder}
        with os.scandir(folder) as entries:
            for entry in entries:
                real = os.path.realpath(entry.path)
                if ".so" in entry.name and real in wanted:
                    yield entry.name, Path(real)


def _loader(program: Path) -> str | None:
    """Return the dynamic loader that an ELF program names, if it names one."""
    with (
        program.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as elf,
    ):
        if elf[:6] != b"\x7fELF\x02\x01":
            raise SandboxUnavailableError(
                f"{program} is no 64-bit program", "use a 64-bit Python"
            )
        (table,) = struct.unpack_from("<Q", elf, 32)
        size, count = struct.unpack_from("<HH", elf, 54)
        for number in range(count):
            kind, _, start, _, _, length = struct.unpack_from(
                "<IIQQQQ", elf, table + number * size
            )
            if kind == 3:  # PT_INTERP
                return elf[start : start + length].rstrip(b"\0").decode()
    return None


# --- what the kernel refuses ----------------------------------------------

# Refused with EPERM, by paragraphs: other processes and their memory;
# namespaces and mounts; the network; memory that no limit counts; where kernels
# have been broken into; administration. Many of them would fail for lack of a
# capability too: this keeps the code behind them out of reach.
_REFUSED = """
fork vfork ptrace process_vm_readv process_vm_writev process_madvise kcmp
pidfd_open pidfd_getfd pidfd_send_signal

unshare setns chroot pivot_root mount umount umount2 fsopen fsconfig fsmount
fspick move_mount open_tree mount_setattr open_by_handle_at name_to_handle_at

socket socketpair connect bind listen accept accept4

memfd_create memfd_secret shmget shmat shmctl semget semop semctl msgget msgsnd
msgrcv mq_open

bpf io_uring_setup io_uring_enter io_uring_register userfaultfd perf_event_open
keyctl add_key request_key personality modify_ldt vmsplice fanotify_init
inotify_init inotify_init1 landlock_create_ruleset

init_module finit_module delete_module create_module kexec_load kexec_file_load
reboot swapon swapoff acct quotactl quotactl_fd syslog settimeofday
clock_settime clock_adjtime adjtimex stime sethostname setdomainname iopl ioperm
lookup_dcookie nfsservctl uselib ustat sysfs _sysctl vhangup set_mempolicy mbind
move_pages migrate_pages
"""
_CLONE_THREAD = 0x00010000


@functools.cache
def system_call_filter() -> bytes:
    """Return the seccomp filter as a BPF program, made once per process.

    Raises
    ------
    SandboxUnavailableError
        If libseccomp or its binding is not installed.
    """
    try:
        import pyseccomp
    except (ImportError, OSError, RuntimeError) as error:
        raise SandboxUnavailableError(
            f"the system-call filter cannot be made ({error})",
            INSTALL_SECCOMP,
        ) from None
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    refuse = pyseccomp.ERRNO(errno.EPERM)
    for name in _REFUSED.split():
        try:
            rules.add_rule(refuse, name)
        except (OSError, RuntimeError, ValueError):
            # This architecture or this libseccomp has no such system call.
            continue
    # A thread is a clone within its process; anything else is a new process.
    rules.add_rule(
        refuse,
        "clone",
        pyseccomp.Arg(0, pyseccomp.MASKED_EQ, _CLONE_THREAD, 0),
    )
    # Its flags lie in memory, where no filter can look: C libraries then use
    # clone instead.
    rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
    descriptor = os.memfd_create("seccomp", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "w+b") as program:
        rules.export_bpf(program)
        program.seek(0)
        return program.read()


# --- the sandbox ----------------------------------------------------------


class Sandbox:
    """A worker in its sandbox, from ``with`` to the end of the block.

    Parameters
    ----------
    limits : Limits
        What it may use.
    stop : threading.Event, optional
        When set, whoever waits for the worker gets :class:`StoppedError`.

    Raises
    ------
    SandboxUnavailableError
        On entering, if no sandbox can be started here.

    Notes
    -----
    In use::

        with Sandbox() as sandbox:
            cell = {"op": "run", "source": "x = 6 * 7", "answer": False}
            sandbox.ask(cell, seconds=2)
            sandbox.ask({"op": "read", "name": "x"}, seconds=2)["value"]  # 42
    """

    def __init__(
        self, limits: Limits | None = None, stop: threading.Event | None = None
    ) -> None:
        self.limits = limits or Limits()
        self.text = bytearray()
        self.dropped = 0
        self._stop = stop or threading.Event()
        self._received = bytearray()
        self._process: subprocess.Popen[bytes] | None = None
        self._descriptors: set[int] = set()
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        try:
            self._start()
            self._hello()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def output(self) -> str:
        """What was printed, as far as it was kept."""
        return self.text.decode("utf-8", "replace")

    def ask(self, request: dict[str, object], seconds: float) -> dict[str, Any]:
        """Send `request` and return the worker's reply to it.

        Parameters
        ----------
        request : dict
            ``op`` and what belongs to it; see ``worker.py``.
        seconds : float
            Until when the reply has to be here, whole.

        Raises
        ------
        WorkerError
            In one of its three kinds: it died, it took too long, or its reply
            is none. The sandbox is then of no more use.
        StoppedError
            If grading was stopped.
        """
        deadline = time.monotonic() + seconds
        # A number that cannot be guessed: a reply prepared beforehand, or one
        # from a thread left over from the last question, does not carry it.
        number = secrets.token_hex(8)
        self._send(wire.encode({**request, "id": number}), deadline)
        reply = self._receive(deadline)
        if reply.pop("id", None) != number:
            raise WorkerProtocolError("it replied to something else")
        return reply

    def close(self) -> None:
        """End every process of the sandbox and read nothing more."""
        if self._process is not None:
            # Killing the launcher takes its whole process namespace along.
            self._process.kill()
            self._process.wait()
            self._process = None
        self._selector.close()
        self._release(*self._descriptors)

    # --- starting

    def _start(self) -> None:
        runtime = _runtime()
        as_root = os.geteuid() == 0
        requests, self._requests = self._pipe()
        self._replies, replies = self._pipe()
        self._printed, printed = self._pipe()
        rules = self._data("seccomp", system_call_filter())
        options = self._data(
            "options",
            b"".join(
                option.encode() + b"\0"
                for option in _options(runtime, rules, as_root)
            ),
        )
        # The command line can be read from inside; what tells of this machine
        # goes through a descriptor.
        command = [
            *(bubblewrap(), "--args", str(options), "--", runtime.python),
            *("-I", "-S", "-B", "-X", "utf8", "/grader/worker.py"),
            *map(str, (requests, replies, _uid(as_root))),
            *map(str, (self.limits.memory, self.limits.cpu)),
            str(self.limits.threads),
        ]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            pass_fds=(requests, replies, rules, options),
            # A Ctrl-C is for the grader, which then ends its workers.
            start_new_session=True,
            cwd="/",
        )
        self._release(requests, replies, printed, rules, options)
        for descriptor in (self._requests, self._replies, self._printed):
            os.set_blocking(descriptor, False)
        self._selector.register(self._replies, selectors.EVENT_READ)
        self._selector.register(self._printed, selectors.EVENT_READ)

    def _hello(self) -> None:
        try:
            hello = self._receive(time.monotonic() + self.limits.start)
        except WorkerError as error:
            with contextlib.suppress(OSError):
                self._read_printed()
            said = " ".join(self.output.split())[-300:] or str(error)
            raise SandboxUnavailableError(
                f"the sandbox does not start: {said}", _remedy(said)
            ) from None
        if hello != {"outcome": "ready"}:
            raise SandboxUnavailableError(
                f"the sandbox does not start: it says {hello}", ""
            )

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe()
        self._descriptors.update(ends)
        return ends

    def _data(self, name: str, content: bytes) -> int:
        descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
        self._descriptors.add(descriptor)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def _release(self, *descriptors: int) -> None:
        for descriptor in descriptors:
            self._descriptors.discard(descriptor)
            os.close(descriptor)

    # --- talking

    def _send(self, frame: bytes, deadline: float) -> None:
        left = memoryview(frame)
        self._selector.register(self._requests, selectors.EVENT_WRITE)
        try:
            while left:
                if self._requests in self._wait(deadline):
                    with contextlib.suppress(BlockingIOError):
                        left = left[os.write(self._requests, left[:65536]) :]
        except BrokenPipeError:
            raise WorkerDiedError(self._reason()) from None
        finally:
            self._selector.unregister(self._requests)

    def _receive(self, deadline: float) -> dict[str, Any]:
        size: int | None = None
        while True:
            try:
                if size is None and len(self._received) >= wire.PREFIX:
                    header, body = wire.lengths(self._received)
                    size = wire.PREFIX + header + body
                if size is not None and len(self._received) >= size:
                    frame = bytes(self._received[:size])
                    del self._received[:size]
                    reply = wire.decode_frame(frame)
                    break
            except wire.WireError as error:
                raise WorkerProtocolError(str(error)) from None
            self._wait(deadline)
        if type(reply) is not dict:
            raise WorkerProtocolError("its reply is not a dictionary")
        return reply

    def _wait(self, deadline: float) -> set[int]:
        """Take in what has come; return the descriptors that are ready."""
        if self._stop.is_set():
            raise StoppedError
        left = deadline - time.monotonic()
        if left <= 0:
            raise WorkerTimeoutError
        ready = {key.fd for key, _ in self._selector.select(min(left, 0.2))}
        if self._printed in ready:
            self._read_printed()
        if self._replies in ready:
            # Never more than one frame and a little: who floods us is read
            # no further.
            received = os.read(self._replies, 1 << 20)
            if not received:
                raise WorkerDiedError(self._reason())
            self._received += received
        return ready

    def _read_printed(self) -> None:
        printed = os.read(self._printed, 1 << 16)
        if not printed and self._printed in self._selector.get_map():
            self._selector.unregister(self._printed)
        room = self.limits.output - len(self.text)
        self.text += printed[: max(room, 0)]
        self.dropped += max(len(printed) - room, 0)

    def _reason(self) -> str:
        """Say in a phrase why the worker is gone."""
        assert self._process is not None
        try:
            # The launcher ends with the worker, which it reports on.
            status = self._process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            return "it closed its connection to the grader"
        if status in _SIGNALS:
            return _SIGNALS[status]
        if status > 128:
            return f"it was ended by signal {status - 128}"
        return f"it ended itself with exit status {status}"


# How a launcher reports that a signal ended the worker, and what that means.
_SIGNALS = {
    128 + signal.SIGKILL: "it was killed, perhaps for lack of memory",
    128 + signal.SIGSEGV: "it crashed (a segmentation fault)",
    128 + signal.SIGABRT: "it crashed (aborted)",
    128 + signal.SIGXCPU: "it used up its processor time",
}


def bubblewrap() -> str:
    """Return where the program bubblewrap is.

    Raises
    ------
    SandboxUnavailableError
        If it is not installed.
    """
    if not sys.platform.startswith("linux"):
        raise SandboxUnavailableError(
            "the sandbox needs Linux", "on Windows, grade within WSL 2"
        )
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxUnavailableError(
            "the program bwrap is not there", INSTALL_BUBBLEWRAP
        )
    return program


def _uid(as_root: bool) -> int:
    """Return the uid to drop to; a user namespace has but one, 65534."""
    if not as_root:
        return 65534
    return _FIRST_UID + ((os.getpid() << 8) | (next(_counter) & 0xFF))


def _options(runtime: _Runtime, rules: int, as_root: bool) -> list[str]:
    """Return bubblewrap's options, in the order in which it obeys them."""
    options = ["--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    if as_root:
        options += ["--unshare-ipc", "--unshare-pid", "--unshare-net"]
        options += ["--unshare-uts", "--unshare-cgroup-try"]
        options += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        options += ["--unshare-all", "--unshare-user"]
        options += ["--uid", "65534", "--gid", "65534"]
    options += ["--hostname", "sandbox", "--seccomp", str(rules)]
    folders = {
        str(parent)
        for _, target in runtime.binds
        for parent in PurePosixPath(target).parents
    }
    # Made by the way they would be closed to the uid that root drops to.
    for folder in sorted((folders | {"/dev"}) - {"/"}):
        options += ["--perms", "0755", "--dir", folder]
    for source, target in runtime.binds:
        options += ["--ro-bind", source, target]
    for target in runtime.emptied:
        options += ["--tmpfs", target, "--remount-ro", target]
    for device in ("/dev/null", "/dev/urandom"):
        options += ["--dev-bind", device, device]
    options += ["--clearenv"]
    for name, value in _ENVIRONMENT.items():
        options += ["--setenv", name, value]
    return [*options, "--remount-ro", "/", "--chdir", "/"]


_ENVIRONMENT = {
    "HOME": "/",
    "LANG": "C.UTF-8",
    "LD_LIBRARY_PATH": "/lib",
    "PATH": "/python/bin",
    # One thread per worker: the grader runs as many workers as it should.
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def _remedy(said: str) -> str:
    if "bwrap" not in said:
        return ""
    return (
        "this system keeps ordinary users, or this container, from making "
        "namespaces: on Ubuntu 24.04 and later give bwrap an AppArmor profile "
        "(sudo apt install apparmor-profiles apparmor-utils; sudo ln -s "
        "/usr/share/apparmor/extra-profiles/bwrap-userns-restrict "
        "/etc/apparmor.d/; sudo systemctl reload apparmor), in Docker add "
        "--privileged, or grade on another Linux machine"
    )
