"""Months played again as traffic: each hour a request, its true count some hours later.

    python -m bike.replay --url http://127.0.0.1:PORT/invocations --since 2012-02 --speed 60

`--speed` is hours of 2012 in a second. A request carries its hour (`ts`, which the model does
not see) and is named after it, so that the count that comes later finds it. With `--labels`
the counts that are known by then are written there, a file a day: `inference_id,label`. With
`--orders` lines on standard input change it: `speed 5`, `speed 0` (wait), `until 2012-06`.

Standard library only, so that a client needs nothing else.
"""

import argparse
import csv
import gzip
import http.client
import json
import queue
import signal
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bike.columns import DATA, FEATURES, TARGET, WHOLE

COLUMNS = ("ts", *FEATURES)
TOLD_EVERY = 0.5  # seconds between two lines about how far it is


@dataclass
class Counts:
    """`failed` had no answer or one of 500 and above; `labels` were written."""

    hour: str = ""
    sent: int = 0
    failed: int = 0
    labels: int = 0
    variants: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    ended: bool = False


def hours(since: str) -> Iterator[tuple[str, list, int]]:
    """The time, the inputs (as in `COLUMNS`) and the count of each hour from a month on."""
    with gzip.open(DATA, "rt", encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["ts"] >= since:
                features = [int(row[c]) if c in WHOLE else float(row[c]) for c in FEATURES]
                yield row["ts"], [row["ts"], *features], int(row[TARGET])


def identity(hour: str) -> str:
    """The inference id of an hour's request."""
    return f"hour-{hour[:13]}"


class Client:
    """One connection to the endpoint, opened again when it breaks."""

    def __init__(self, url: str, counts: Counts) -> None:
        parts = urllib.parse.urlsplit(url)
        self._host, self._path = parts.netloc, parts.path or "/invocations"
        self._counts = counts
        self._open: http.client.HTTPConnection | None = None

    def send(self, hour: str, inputs: list) -> None:
        """One request; what comes back is counted."""
        body = json.dumps({"dataframe_split": {"columns": COLUMNS, "data": [inputs]}})
        headers = {
            "Content-Type": "application/json",
            "X-Amzn-SageMaker-Inference-Id": identity(hour),
            "User-Agent": "bike-replay",
        }
        self._counts.sent += 1
        try:
            if self._open is None:
                self._open = http.client.HTTPConnection(self._host, timeout=10)
            self._open.request("POST", self._path, body, headers)
            reply = self._open.getresponse()
            reply.read()
        except (OSError, http.client.HTTPException) as error:
            self._open = None
            self._failed(str(error) or type(error).__name__)
            return
        variant = reply.headers.get("x-Amzn-Invoked-Production-Variant", "?")
        self._counts.variants[variant] = self._counts.variants.get(variant, 0) + 1
        if reply.status >= 400:
            self._failed(f"HTTP {reply.status}", counted=reply.status >= 500)

    def _failed(self, what: str, *, counted: bool = True) -> None:
        self._counts.failed += counted
        self._counts.errors[what] = self._counts.errors.get(what, 0) + 1


class Labels:
    """Counts that are not known yet, and files of those that are."""

    def __init__(self, folder: Path | None, late: int, counts: Counts) -> None:
        self._folder = folder
        self._late = late
        self._counts = counts
        self._waiting: list[tuple[str, int]] = []

    def add(self, hour: str, count: int) -> None:
        """An hour is over; with the last hour of a day what is known by now is written."""
        self._waiting.append((identity(hour), count))
        if hour[11:13] == "23" and len(self._waiting) > self._late:
            self.write(hour[:10], self._waiting[: -self._late or None])
            del self._waiting[: -self._late or None]

    def write(self, day: str, known: list[tuple[str, int]]) -> None:
        """One file; it is whole as soon as it has its name."""
        if self._folder is None or not known:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{day}.part"
        with draft.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(("inference_id", "label"))
            writer.writerows(known)
        draft.replace(self._folder / f"{day}.csv")
        self._counts.labels += len(known)


class Orders(threading.Thread):
    """Lines of standard input; the end of it, when the one who started this has died, ends it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.lines: queue.Queue[str] = queue.Queue()

    def run(self) -> None:
        """Read until the end."""
        for line in sys.stdin:
            self.lines.put(line.strip())
        self.lines.put("stop")


def play(options: argparse.Namespace) -> Counts:
    """Send the hours at the speed that is wanted, until the month after `until` begins."""
    counts, speed, until = Counts(), options.speed, options.until
    client = Client(options.url, counts)
    labels = Labels(options.labels, options.late, counts)
    orders = Orders()
    if options.orders:
        orders.start()
    due = told = time.monotonic()
    source = hours(options.since)
    upcoming = next(source, None)
    while upcoming is not None:
        try:
            order = orders.lines.get(timeout=min(max(due - time.monotonic(), 0.0), 0.2))
        except queue.Empty:
            order = ""
        word, _, value = order.partition(" ")
        if word == "stop":
            break
        if word == "speed":
            speed, due = float(value), time.monotonic()
        elif word == "until":
            until = value
        waiting = speed <= 0 or bool(until and upcoming[0][:7] > until)
        if time.monotonic() - told > TOLD_EVERY:
            told = time.monotonic()
            print(json.dumps({**asdict(counts), "waiting": waiting}), flush=True)
        if waiting and not options.orders:
            break
        if waiting or time.monotonic() < due:
            due = max(due, time.monotonic()) if not waiting else time.monotonic() + 0.05
            continue
        hour, inputs, count = upcoming
        client.send(hour, inputs)
        labels.add(hour, count)
        counts.hour = hour
        upcoming = next(source, None)
        due = max(due + 1.0 / speed, time.monotonic() - 1.0)
    counts.ended = True
    return counts


def main() -> None:
    """Play, then print the counts as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--since", default="2012-02", help="the first month")
    parser.add_argument("--until", default="", help="the last month")
    parser.add_argument("--speed", type=float, default=60.0, help="hours in a second")
    parser.add_argument("--late", type=int, default=72, help="hours until a count is known")
    parser.add_argument("--labels", type=Path, help="folder for the counts that are known")
    parser.add_argument("--orders", action="store_true", help="take orders on standard input")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        counts = play(options)
    except KeyboardInterrupt:
        return
    print(json.dumps({**asdict(counts), "waiting": False}), flush=True)


if __name__ == "__main__":
    main()
