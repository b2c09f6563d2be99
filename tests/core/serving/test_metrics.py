"""`/metrics` reads as Prometheus wants it, by a parser that forgives nothing."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable

from core.serving import EndpointControl

_SAMPLE = re.compile(r"(?P<name>[a-z_]+)\{(?P<labels>[^}]*)\} (?P<value>[+-]?Inf|NaN|-?[0-9.e+-]+)")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"')

Labels = dict[str, str]


def parse(text: str) -> dict[str, tuple[str, list[tuple[str, Labels, float]]]]:
    """Metrics by name: kind and samples. Fails on whatever promtool complains about."""
    found: dict[str, tuple[str, list[tuple[str, Labels, float]]]] = {}
    current = ""
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current, _, meaning = line.removeprefix("# HELP ").partition(" ")
            assert current not in found, "a metric's lines stand together"
            assert meaning.endswith(".")
            continue
        if line.startswith("# TYPE "):
            name, kind = line.removeprefix("# TYPE ").split(" ")
            assert name == current and kind in ("counter", "gauge", "histogram")
            assert (kind == "counter") == name.endswith("_total"), name
            found[name] = kind, []
            continue
        match = _SAMPLE.fullmatch(line)
        assert match is not None, line
        kind, samples = found[current]
        tail = match["name"].removeprefix(current)
        assert tail in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",)), line
        labels = dict(_LABEL.findall(match["labels"]))
        assert ",".join(f'{k}="{v}"' for k, v in labels.items()) == match["labels"]
        assert (tail, labels) not in [(t, had) for t, had, _ in samples], "no sample twice"
        samples.append((tail, labels, float(match["value"])))
    return found


def read(control: EndpointControl) -> dict[str, tuple[str, list[tuple[str, Labels, float]]]]:
    info = control.info()
    assert info is not None
    connection = http.client.HTTPConnection(info.host, info.port, timeout=10)
    connection.request("GET", "/metrics")
    reply = connection.getresponse()
    assert (reply.headers["content-type"] or "").startswith("text/plain; version=0.0.4")
    text = reply.read().decode()
    connection.close()
    return parse(text)


def test_the_figures_of_every_variant(
    endpoint: EndpointControl, split: Callable[..., bytes]
) -> None:
    endpoint.set_table({1: 25, 2: 75})
    before = read(endpoint)
    for target in ("r1", "r2", "r2"):
        body = split([8, 0.5, 0.25])
        endpoint.invoke(body, headers={"X-Amzn-SageMaker-Target-Variant": target})
    endpoint.invoke(b"{}", headers={"X-Amzn-SageMaker-Target-Variant": "r1"})
    after = read(endpoint)

    def value(metric: str, tail: str = "", **labels: str) -> float:
        def one(found: dict[str, tuple[str, list[tuple[str, Labels, float]]]]) -> float:
            return sum(
                number
                for end, have, number in found[metric][1]
                if end == tail and labels.items() <= have.items()
            )

        return one(after) - one(before)

    assert value("opsdeck_requests_total", variant="r1", model="one", model_version="1") == 2
    assert value("opsdeck_requests_total", variant="r2") == 2
    assert value("opsdeck_rejected_total", variant="r1") == 1
    assert value("opsdeck_request_seconds", "_count", variant="r1") == 2
    assert value("opsdeck_request_seconds", "_bucket", variant="r1", le="+Inf") == 2
    assert value("opsdeck_request_seconds", "_sum", variant="r1") > 0
    weights = {have["variant"]: w for _, have, w in after["opsdeck_weight_ratio"][1]}
    assert (weights["r1"], weights["r2"], weights["r3"]) == (0.25, 0.75, 0.0)
    ((_, build, one),) = after["opsdeck_build_info"][1]
    assert one == 1 and build["version"]
    for metric in (
        "shed_total", "denied_total", "slow_clients_total", "refused_connections_total",
        "timeouts_total", "capture_dropped_total", "in_flight", "requests_in_flight",
    ):  # fmt: skip
        assert after[f"opsdeck_{metric}"][1]


def test_buckets_only_grow(endpoint: EndpointControl, split: Callable[..., bytes]) -> None:
    for _ in range(20):
        endpoint.invoke(split([8, 0.5, 0.25]))
    _, samples = read(endpoint)["opsdeck_request_seconds"]
    series: dict[str, list[tuple[float, float]]] = {}
    for tail, labels, number in samples:
        if tail == "_bucket":
            series.setdefault(labels["variant"], []).append((float(labels["le"]), number))
    for buckets in series.values():
        assert buckets == sorted(buckets)
        counts = [count for _, count in buckets]
        assert counts == sorted(counts) and buckets[-1][0] == float("inf")
