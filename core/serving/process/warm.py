"""The warm process: has the libraries loaded and forks server processes.

Importing scikit-learn and MLflow takes seconds; forking takes milliseconds, so a server that
was killed is back before its clients notice more than a pause. Rules for a process that forks:
no Python threads, and nothing that starts OpenMP's (no fit, no predict) ever runs here.
It is run as `python -m core.serving.process.warm` by the supervisor and leaves with it.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

log = logging.getLogger("warm")

REAP_SECONDS = 2.0


def main() -> None:
    """Serve fork requests on an inherited socket until it closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--name", required=True)
    args = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    importlib.import_module("core.serving.process.server")
    with socket.socket(fileno=args.fd) as control:
        _Warm(control, args.dir, args.name).run()


class _Warm:
    def __init__(self, control: socket.socket, root: Path, name: str) -> None:
        self._control = control
        self._root = root
        self._name = name
        self._imports: deque[str] = deque()
        self._ended: dict[int, int] = {}

    def run(self) -> None:
        """One request at a time; imports go on in between."""
        while True:
            ready, _, _ = select.select([self._control], [], [], 0 if self._imports else 1.0)
            self._reap()
            if not ready:
                if self._imports:
                    self._import(self._imports.popleft())
                continue
            message, descriptors = self._receive()
            if message is None:
                return
            answer = self._obey(message, descriptors)
            self._control.sendall(json.dumps(answer).encode() + b"\n")

    def _receive(self) -> tuple[dict[str, Any] | None, list[int]]:
        data = b""
        descriptors: list[int] = []
        while not data.endswith(b"\n"):
            chunk, found, _, _ = socket.recv_fds(self._control, 65536, 4)
            if not chunk:
                return None, []
            data += chunk
            descriptors += found
        return json.loads(data), descriptors

    def _obey(self, message: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        match message["op"]:
            case "fork":
                try:
                    return self._fork(descriptors)
                finally:  # also where it refused; the server that was forked has its own
                    for descriptor in descriptors:
                        os.close(descriptor)
            case "import":
                known = set(self._imports)
                names = [name for name in message["modules"] if name not in known]
                self._imports.extend(name for name in names if name not in sys.modules)
                return {"waiting": len(self._imports)}
            case "ended":
                return {"status": self._status(message["pid"])}
        return {"error": f"unknown operation {message['op']}"}

    def _fork(self, descriptors: list[int]) -> dict[str, Any]:
        """Fork a server that gets the listener, the channel, its output pipe and its ledger."""
        if threading.active_count() > 1:
            return {"error": "a library started threads, so this process cannot fork"}
        gc.collect()
        gc.freeze()  # the children share these pages as long as no collection writes to them
        try:
            pid = os.fork()
        except OSError as error:
            return {"error": f"no process can be forked: {error.strerror}"}
        if pid:
            return {"pid": pid}
        status = 1
        try:
            self._control.close()
            _serve(self._name, self._root, descriptors)
            status = 0
        except BaseException:
            log.exception("the server ended badly")
        finally:
            # Never return into the parent's stack.
            os._exit(status)

    def _import(self, name: str) -> None:
        try:
            importlib.import_module(name)
        except Exception:
            log.exception("%s is not preloaded", name)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._ended[pid] = os.waitstatus_to_exitcode(status)

    def _status(self, pid: int) -> int | None:
        """How a server ended (negative: the signal), waiting a little for it to be over."""
        deadline = time.monotonic() + REAP_SECONDS
        while pid not in self._ended and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.01)
        return self._ended.pop(pid, None)


def _serve(name: str, root: Path, descriptors: list[int]) -> None:
    from core.serving.process import server
    from core.serving.process.ledger import Ledger

    listener, channel, output, memory = descriptors
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    for handler in logging.getLogger().handlers[:]:
        logging.getLogger().removeHandler(handler)
    ledger = Ledger(memory)
    os.close(memory)
    ends = socket.socket(fileno=listener), socket.socket(fileno=channel)
    server.main(name, root, *ends, ledger)


if __name__ == "__main__":
    main()
