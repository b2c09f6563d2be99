"""`python -m core.simulated --port 0 --seed demo --speed 60`: prints its URL and serves."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from core.simulated.server import SimulatedAccount


def main() -> int:
    """Serve until SIGTERM, SIGINT or the end of standard input (with --parent)."""
    parser = argparse.ArgumentParser(prog="python -m core.simulated")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", default="")
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--parent", action="store_true", help="end when standard input is closed")
    asked = parser.parse_args()
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    try:
        account = SimulatedAccount.start(asked.seed, asked.speed, port=asked.port)
    except (ValueError, OSError) as error:
        print(f"core.simulated: {error}", file=sys.stderr)  # noqa: T201
        return 2
    with account:
        print(account.endpoint_url, flush=True)  # noqa: T201
        if asked.parent:
            threading.Thread(target=_until_closed, args=(over,), daemon=True).start()
        over.wait()
    return 0


def _until_closed(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


if __name__ == "__main__":
    sys.exit(main())
