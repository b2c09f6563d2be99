"""Real requests: hours of a month as JSON bodies for an endpoint.

    python -m bike.traffic --url http://127.0.0.1:PORT/invocations --month 2012-03

Standard library only, so that a client needs nothing else.
"""

import argparse
import csv
import gzip
import json
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


def main() -> None:
    """Send a month, hour by hour, and print what comes back."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--month", default="2012-03")
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second")
    options = parser.parse_args()
    for data in requests(options.month):
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(options.url, data, headers)
        with urllib.request.urlopen(request, timeout=10) as reply:
            print(reply.read().decode())
        time.sleep(1 / options.rate)


if __name__ == "__main__":
    main()
