"""Real requests: hours of a month as JSON bodies for an endpoint.

    python -m bike.traffic --url http://127.0.0.1:PORT/invocations --month 2012-03

Standard library only, so that a client needs nothing else.
"""

import argparse
import csv
import gzip
import itertools
import json
import signal
import time
import urllib.request
from collections.abc import Iterator

from bike.columns import DATA, FEATURES, WHOLE


def rows(month: str) -> Iterator[list[float]]:
    """The features of each hour of `month` ("2012-03"), in order."""
    with gzip.open(DATA, "rt", encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["ts"].startswith(month):
                yield [int(row[c]) if c in WHOLE else float(row[c]) for c in FEATURES]


def requests(month: str, batch: int = 1) -> Iterator[bytes]:
    """Bodies in MLflow's `dataframe_split` shape, `batch` hours each."""
    waiting: list[list[float]] = []
    for row in rows(month):
        waiting.append(row)
        if len(waiting) == batch:
            yield body(waiting)
            waiting = []
    if waiting:
        yield body(waiting)


def body(data: list[list[float]]) -> bytes:
    """One request for these rows."""
    return json.dumps({"dataframe_split": {"columns": list(FEATURES), "data": data}}).encode()


def send(url: str, month: str, rate: float, seconds: float, quiet: bool = False) -> dict:
    """Send the month's hours over and over for so long; counts by what came back.

    `failed` counts requests with no answer, or one of 500 and above.
    """
    counts: dict = {"sent": 0, "failed": 0, "variants": {}, "errors": {}}
    bodies, begun = itertools.cycle(list(requests(month))), time.monotonic()
    try:
        for number, data in enumerate(bodies, start=1):
            _count(counts, url, data, quiet)
            due = begun + number / rate
            if due > begun + seconds:
                break
            time.sleep(max(0.0, due - time.monotonic()))
    except KeyboardInterrupt:
        pass  # asked to stop: say what was counted
    return counts


def _count(counts: dict, url: str, data: bytes, quiet: bool) -> None:
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    counts["sent"] += 1
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            answer = reply.read().decode()
            variant = reply.headers.get("x-Amzn-Invoked-Production-Variant", "?")
        counts["variants"][variant] = counts["variants"].get(variant, 0) + 1
        if not quiet:
            print(variant, answer)
    except OSError as error:  # urllib's errors are all of this kind
        status = getattr(error, "code", 599)
        counts["failed"] += status >= 500
        counts["errors"][str(error)] = counts["errors"].get(str(error), 0) + 1


def main() -> None:
    """Send a month, hour by hour, and print what comes back, then the counts as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--month", default="2012-03")
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="for how long")
    parser.add_argument("--quiet", action="store_true", help="print the counts only")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    counts = send(options.url, options.month, options.rate, options.seconds, options.quiet)
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
