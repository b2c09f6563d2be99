"""The warm server: imports the heavy libraries once, then forks a process for every step.

Standard library only, run by path; imports nothing of Opsdeck, so that a user's project may
have packages of any name. It speaks JSON lines on the Unix socket given by its first
argument. A request carries three descriptors (standard output, standard error, events):

    {"start": ID, "request": PATH}   → {"started": ID, "pid": N} or {"refused": ID, "error": TEXT}
                                     → later {"exited": ID, "pid": N, "status": WAIT STATUS,
                                              "cpu": SECONDS, "rss_mb": MEGABYTES}

The file at PATH holds the request for `stepchild.run`. When the socket closes (the worker
has died), every process that descends from this one is killed. It stays free of Python
threads and makes no OpenMP call, so that its children can.

A step process is the reaper of its own orphans, so that whatever it leaves behind comes to
this server at the moment of its end and not before: then it is known whose it was.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import importlib.util
import json
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any

PRELOAD = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "sklearn.ensemble",
    "sklearn.metrics",
    "sklearn.model_selection",
    "mlflow",
    "mlflow.sklearn",
    "mlflow.store.tracking.sqlalchemy_store",
    "matplotlib.figure",
    "threadpoolctl",
)
_HUGE_PAGE = 2 << 20
_MADV_COLLAPSE = 25
_KILL_ROUNDS = 200
_HERE = Path(__file__).parent
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_MAX_MESSAGE = 65536


class Server:
    """One worker's warm server: its socket, its children."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.step = _module(str(_HERE / "stepchild.py"))
        self.pid = os.getpid()
        self.children: dict[int, str] = {}
        self.libc = _libc()
        self.wake_read, self.wake_write = os.pipe()
        for fd in (self.wake_read, self.wake_write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's; the worker decides

    def serve(self) -> None:
        """Answer requests until the worker's end closes; then kill what is left."""
        selector = selectors.DefaultSelector()
        selector.register(self.sock, selectors.EVENT_READ)
        selector.register(self.wake_read, selectors.EVENT_READ)
        try:
            while True:
                for key, _ in selector.select(timeout=5.0):
                    if key.fileobj is self.sock:
                        if not self._request():
                            return
                    else:
                        with contextlib.suppress(BlockingIOError):
                            os.read(self.wake_read, 4096)
                self._reap()
        finally:
            self.children.clear()
            self._kill_left_behind()

    def send(self, message: dict[str, object]) -> None:
        """Tell the worker."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(json.dumps(message).encode() + b"\n")

    def _request(self) -> bool:
        data, fds, _, _ = socket.recv_fds(self.sock, _MAX_MESSAGE, 3)
        if not data:
            return False
        message = json.loads(data)
        try:
            if len(fds) != 3:
                raise ValueError(f"expected 3 descriptors, got {len(fds)}")
            pid = self._fork(message["request"], fds)
        except (OSError, ValueError) as error:
            self.send({"refused": message["start"], "error": str(error)})
        else:
            self.children[pid] = message["start"]
            self.send({"started": message["start"], "pid": pid})
        finally:
            for fd in fds:
                os.close(fd)
        return True

    def _fork(self, request: str, fds: list[int]) -> int:
        pid = os.fork()
        if pid:
            return pid
        status = 70
        try:
            self._become_child(fds)
            status = self._run(request, fds[2])
        except BaseException:  # noqa: BLE001
            traceback.print_exc()  # into the step's log, or the worker's
        finally:
            os._exit(status)

    def _become_child(self, fds: list[int]) -> None:
        """Leave everything of the server behind: session, signals, descriptors."""
        os.setsid()
        if self.libc is not None:
            # The server has one thread only, so its death and not a thread's is what counts.
            self.libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            self.libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        if os.getppid() != self.pid:
            os._exit(71)
        atexit._clear()  # the server's: what the user's code registers is run, and nothing else
        if (logging := sys.modules.get("logging")) is not None:
            atexit.register(logging.shutdown)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.sock.close()
        os.close(self.wake_read)
        os.close(self.wake_write)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(fds[0], 1)
        os.dup2(fds[1], 2)
        for fd in (null, fds[0], fds[1]):
            if fd > 2:
                os.close(fd)
        sys.stdin = open(0, closefd=False)
        sys.stdout = open(1, "w", buffering=1, closefd=False, errors="backslashreplace")
        sys.stderr = open(2, "w", buffering=1, closefd=False, errors="backslashreplace")

    def _reap(self) -> None:
        """Collect what has ended, and whatever it left running."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = self.children.pop(pid, None)
            if name is None:
                continue  # an orphan that was handed to us and has ended
            _kill_group(pid)
            self._kill_left_behind()
            self.send(
                {
                    "exited": name,
                    "pid": pid,
                    "status": status,
                    "cpu": usage.ru_utime + usage.ru_stime,
                    "rss_mb": usage.ru_maxrss / 1024,
                }
            )

    def _kill_left_behind(self) -> None:
        """Kill what an ended step left running, in whatever session and however deep.

        It is ours now, and nobody's child. Killing it hands us its own children: again then.
        """
        for attempt in range(_KILL_ROUNDS):
            orphans = [pid for pid in _children(self.pid) if pid not in self.children]
            if not orphans:
                return
            for pid in orphans:
                for below in reversed(_descendants(pid)):
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(below, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            if attempt:
                time.sleep(0.005)

    def _run(self, request: str, events_fd: int) -> int:
        asked = json.loads(Path(request).read_text())
        if asked["kind"] == "service":
            return _serve(asked["script"], events_fd)
        if asked["kind"] == "data":  # no code of the user's: ours may be imported
            child = importlib.import_module("core.engine.datachild")
            done: int = child.run(asked, events_fd)
            return done
        if asked.get("python"):  # an interpreter of its own: executed plainly
            os.set_inheritable(events_fd, True)
            os.environ.update(asked["env"])
            script = str(_HERE / "stepchild.py")
            os.execv(asked["python"], [asked["python"], script, request, str(events_fd)])
        status: int = self.step.run(asked, events_fd)
        return status


def _serve(script: str, requests_fd: int) -> int:
    """Run a long-lived helper: it reads `requests_fd` and answers on what is fd 1 now."""
    answers = os.dup(1)
    os.dup2(2, 1)
    _module(script).serve(requests_fd, answers)
    return 0


def _module(path: str) -> Any:
    """A module by its path, outside of every package."""
    spec = importlib.util.spec_from_file_location(f"_opsdeck_{Path(path).stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _children(pid: int) -> list[int]:
    """The children of a process, zombies too; nothing where there is no /proc."""
    found = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                found += Path(f"/proc/{pid}/task/{task}/children").read_text().split()
    return [int(each) for each in found]


def _descendants(pid: int) -> list[int]:
    """A process and everything below it."""
    found = [pid]
    for child in _children(pid):
        found += _descendants(child)
    return found


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _libc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return libc


def _use_huge_pages(libc: ctypes.CDLL | None) -> None:
    """Have the kernel hold the heap in pages of 2 MiB: forking and ending a step process
    then copies and frees a table of hundreds of entries, not of ten thousands (half the CPU).
    Only a matter of speed: a kernel that can't, or memory too scattered, is left as it is."""
    if libc is None:
        return
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split(None, 5)
        if fields[1] != "rw-p" or (len(fields) > 5 and fields[5] != "[heap]"):
            continue
        begin, end = (int(each, 16) for each in fields[0].split("-"))
        for page in range(-(-begin // _HUGE_PAGE) * _HUGE_PAGE, end - _HUGE_PAGE + 1, _HUGE_PAGE):
            libc.madvise(page, _HUGE_PAGE, _MADV_COLLAPSE)


def _preload() -> list[str]:
    missing = []
    for name in PRELOAD:
        try:
            importlib.import_module(name)
        except ImportError as error:
            missing.append(f"{name}: {error}")
    return missing


def main() -> None:
    """Import, freeze, serve."""
    sock = socket.socket(fileno=int(sys.argv[1]))
    begun = time.monotonic()
    missing = _preload()
    gc.collect()
    gc.freeze()
    server = Server(sock)
    _use_huge_pages(server.libc)
    server.send({"ready": time.monotonic() - begun, "missing": missing})
    server.serve()


if __name__ == "__main__":
    main()
