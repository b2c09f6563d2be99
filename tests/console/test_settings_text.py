"""An endpoint's settings and its comparison, as `endpoints show` tells them."""

from __future__ import annotations

from console.endpoint_text import endpoint_text
from console.session import Session
from console.settings_text import settings_facts
from core.domain.analysis import AnalysisStatus, MetricStatus, Verdict
from core.domain.release import Endpoint
from core.serving.bounds import ScheduledBounds, VariantWorkers
from core.serving.config import EndpointConfig
from tests.console.conftest import Cli


def test_a_new_endpoint_is_empty_and_shows_its_settings(cli: Cli, workspace: object) -> None:
    assert cli("endpoints", "create", "shop", "--max-body", "1MiB").status == 0
    shown = cli("endpoints", "show", "shop")
    assert shown.status == 0
    facts = dict(line.split(maxsplit=1) for line in shown.out.splitlines() if line.strip())
    assert facts["state"] == "empty"
    assert facts["token"] == "none asked for"
    assert facts["limits"].startswith("body 1.0 MB, 1,000 at once")


def test_bounds_schedule_and_token_are_told() -> None:
    config = EndpointConfig(
        token_sha256="0" * 64,
        max_servers=3,
        variants=(VariantWorkers(7, 2, 4),),
        schedule=(ScheduledBounds("Mon-Sun 00:00-24:00 UTC", min_servers=2, max_servers=2),),
        onnx=True,
    )
    facts = dict(settings_facts(config))
    assert facts["token"] == "asked for"
    assert "0000" not in str(facts)
    assert (facts["servers"], facts["workers"]) == ("1 to 3", "1 a variant (r7 2 to 4)")
    assert facts["schedule"] == "Mon-Sun 00:00-24:00 UTC (open)"
    assert facts["models"].startswith("converted to ONNX")


def test_latencies_are_told_in_milliseconds_and_percent() -> None:
    """They are compared as logarithms, which nobody reads."""
    metric = MetricStatus(
        "latency", Verdict.WORSE, champion=0.6596, candidate=1.955, difference=1.295,
        low=1.005, high=1.586, margin=0.2231, relative=True,
    )  # fmt: skip
    status = AnalysisStatus("d1", 0.0, 2, 1, (metric,))
    endpoint = Endpoint("e", "local", "updating", "127.0.0.1", 1, (), 0.0, 0.0, analysis=status)
    (line,) = [row for row in endpoint_text(Session(), endpoint).splitlines() if "latency" in row]
    assert "1.9 ms" in line and "7.1 ms" in line
    assert "+265 %" in line and "+173 to +388 %" in line and "< +25 %" in line
