"""The figures of a server process in Prometheus' text format, version 0.0.4
(https://prometheus.io/docs/instrumenting/exposition_formats).

Counters start at zero with the process, which is a label: a scrape gets the figures of all
processes that serve the endpoint (see `whole`), so sum over `process`.
"""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from core.serving.process.service import Loaded, Service
from core.serving.process.traffic import PROMETHEUS_SECONDS, RevisionTraffic

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PER_VARIANT: tuple[tuple[str, str, str, Callable[[RevisionTraffic], float]], ...] = (
    ("requests_total", "counter", "Requests answered.", lambda row: row.requests),
    ("errors_total", "counter", "Requests answered with a 5xx.", lambda row: row.errors),
    ("rejected_total", "counter", "Requests answered with a 4xx.", lambda row: row.rejected),
    ("timeouts_total", "counter", "Requests answered 504.", lambda row: row.timeouts),
    ("in_flight", "gauge", "Requests being answered.", lambda row: row.in_flight),
)


class _Text:
    """Lines of the format, metric by metric."""

    def __init__(self, common: Mapping[str, str]) -> None:
        self._common = common
        self.lines: list[str] = []

    def metric(self, name: str, kind: str, meaning: str) -> None:
        self.lines += [f"# HELP opsdeck_{name} {meaning}", f"# TYPE opsdeck_{name} {kind}"]

    def sample(self, name: str, value: float, **labels: str) -> None:
        pairs = {**self._common, **labels}
        shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in pairs.items())
        self.lines.append(f"opsdeck_{name}{{{shown}}} {_number(value)}")


def render(service: Service) -> str:
    """Everything there is to say now."""
    text = _Text({"endpoint": service.name, "process": str(os.getpid())})
    loaded = [service.loaded[key] for key in sorted(service.loaded)]
    text.metric("build_info", "gauge", "The version that serves; always 1.")
    text.sample("build_info", 1, version=release(), python=platform.python_version())
    text.metric("start_time_seconds", "gauge", "When the server process started, Unix time.")
    text.sample("start_time_seconds", service.started)
    for name, kind, meaning, value in _PER_VARIANT:
        text.metric(name, kind, meaning)
        for item in loaded:
            text.sample(name, value(item.traffic), **_variant(item))
    _weights(text, service, loaded)
    _workers(text, loaded)
    _histograms(text, loaded)
    _features(text, loaded)
    _totals(text, service)
    return "\n".join(text.lines) + "\n"


def _weights(text: _Text, service: Service, loaded: Iterable[Loaded]) -> None:
    text.metric("weight_ratio", "gauge", "Share of the requests that the variant is routed, 0-1.")
    routed = {variant.revision: variant.weight for variant in service.epoch.table.variants}
    for item in loaded:
        share = routed.get(item.report.revision, 0.0) / 100
        text.sample("weight_ratio", share, **_variant(item))


def _workers(text: _Text, loaded: Iterable[Loaded]) -> None:
    rows = [(_variant(item), item.workers.count()) for item in loaded]
    for name, meaning in (
        ("workers", "Threads that have the variant's model answer."),
        ("stuck", "Of them, kept by the model for longer than the time limit."),
        ("min_workers", "The fewest that there may be now."),
        ("max_workers", "The most that there may be now."),
    ):
        shown = "workers_stuck" if name == "stuck" else name
        text.metric(shown, "gauge", meaning)
        for labels, count in rows:
            text.sample(shown, getattr(count, name), **labels)


def _histograms(text: _Text, loaded: Iterable[Loaded]) -> None:
    name = "request_seconds"
    text.metric(name, "histogram", "Time from a request's head to its answer.")
    for item in loaded:
        labels, running = _variant(item), 0
        buckets = zip((*PROMETHEUS_SECONDS, math.inf), item.traffic.histogram, strict=True)
        for bound, count in buckets:
            running += count
            text.sample(f"{name}_bucket", running, **labels, le=_number(bound))
        text.sample(f"{name}_sum", item.traffic.seconds_sum, **labels)
        text.sample(f"{name}_count", running, **labels)


def _features(text: _Text, loaded: Iterable[Loaded]) -> None:
    """What was looked up for models that read feature views."""
    found = [(item, each.meter) for item in loaded for each in getattr(item.engine, "lookups", ())]
    rows = [({**_variant(item), "view": meter.ref}, meter) for item, meter in found]
    if not rows:
        return
    text.metric("feature_lookups_total", "counter", "Entities looked up, by what was found.")
    for labels, meter in rows:
        for state, count in meter.states.items():
            text.sample("feature_lookups_total", count, **labels, state=str(state))
    text.metric("feature_age_seconds", "gauge", "Age of the event of the last row that counted.")
    for labels, meter in rows:
        text.sample("feature_age_seconds", meter.age, **labels)
    name = "feature_lookup_seconds"
    text.metric(name, "histogram", "Time of one entity's look-up.")
    for labels, meter in rows:
        running = 0
        for bound, count in zip((*meter.bounds, math.inf), meter.histogram, strict=True):
            running += count
            text.sample(f"{name}_bucket", running, **labels, le=_number(bound))
        text.sample(f"{name}_sum", meter.seconds_sum, **labels)
        text.sample(f"{name}_count", running, **labels)


def _totals(text: _Text, service: Service) -> None:
    capture = service.capture.status()
    for name, meaning, count in (
        ("shed_total", "Requests answered 429: too many at once.", service.shed),
        ("denied_total", "Requests answered 401.", service.denied),
        ("slow_clients_total", "Connections ended because a request came too slowly.",
         service.slow),
        ("refused_connections_total", "Connections over the limit.", service.refused),
        ("captured_total", "Requests written to the capture.", capture.written),
    ):  # fmt: skip
        text.metric(name, "counter", meaning)
        text.sample(name, count)
    text.metric("capture_dropped_total", "counter", "Requests that the capture lost.")
    text.sample("capture_dropped_total", capture.dropped_full, reason="queue_full")
    text.sample("capture_dropped_total", capture.dropped_disk, reason="disk")
    text.sample("capture_dropped_total", capture.dropped_cap, reason="cap")
    text.metric("capture_queued", "gauge", "Requests that wait to be written.")
    text.sample("capture_queued", capture.queued)
    text.metric("requests_in_flight", "gauge", "Requests being answered by this process.")
    text.sample("requests_in_flight", service.in_flight)


def _variant(item: Loaded) -> dict[str, str]:
    report = item.report
    return {
        "variant": f"r{report.revision}",
        "model": report.model,
        "model_version": str(report.version),
    }


@cache
def release() -> str:
    """Our version."""
    try:
        return version("opsdeck")
    except PackageNotFoundError:  # run from a checkout
        return "unknown"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return repr(value) if isinstance(value, float) and not value.is_integer() else str(int(value))
