"""Lines of CloudWatch: which period is asked for, how many in a call, how pages come together."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from core.aws.metrics import Metric, fitting, series, several
from core.errors import BadInput


class Pages:
    """An account that answers GetMetricData with pages of one point a query."""

    def __init__(self, pages: int = 1) -> None:
        self.asked: list[dict[str, Any]] = []
        self._pages = pages

    def pages(self, service: str, operation: str, **asked: Any) -> Iterator[dict[str, Any]]:
        assert (service, operation) == ("cloudwatch", "get_metric_data")
        self.asked.append(asked)
        for page in reversed(range(self._pages)):
            at = datetime.fromtimestamp(1_000_000 + 60 * page, UTC)
            yield {
                "MetricDataResults": [
                    {"Id": each["Id"], "Timestamps": [at], "Values": [float(page)]}
                    for each in asked["MetricDataQueries"]
                ]
            }


def test_a_line_is_put_together_from_its_pages_in_the_order_of_time() -> None:
    account: Any = Pages(3)
    since = time.time() - 3600
    found = series(account, "AWS/SageMaker", "Invocations", {"EndpointName": "e"}, "Sum", 60, since)
    assert found == ((1_000_000.0, 0.0), (1_000_060.0, 1.0), (1_000_120.0, 2.0))
    query = account.asked[0]["MetricDataQueries"][0]["MetricStat"]
    assert query["Metric"]["Dimensions"] == [{"Name": "EndpointName", "Value": "e"}]
    assert (query["Period"], query["Stat"]) == (60, "Sum")


def test_more_than_500_lines_take_more_than_one_call_and_keep_their_names() -> None:
    account: Any = Pages()
    wanted = {f"m{number}": Metric("N", "m", "Sum", {"n": str(number)}) for number in range(501)}
    found = several(account, wanted, 60, time.time() - 600)
    assert [len(asked["MetricDataQueries"]) for asked in account.asked] == [500, 1]
    assert list(found) == list(wanted)
    assert all(points for points in found.values())


def test_a_line_without_points_is_there_and_empty() -> None:
    account: Any = Pages(0)
    assert several(account, {"a": Metric("N", "m", "p99")}, 60, time.time() - 60) == {"a": ()}


@pytest.mark.parametrize(
    ("period", "back", "fit"),
    [
        (60, 3600, 60),
        (10, 600, 10),
        (10, 86_400, 60),
        (60, 3 * 86_400, 180),
        (60, 20 * 86_400, 1_200),
        (60, 100 * 86_400, 7_200),
        (3_600, 20 * 86_400, 3_600),
    ],
)
def test_a_period_is_as_wide_as_what_is_kept(period: int, back: float, fit: int) -> None:
    now = time.time()
    assert fitting(period, now - back, now) == pytest.approx(fit)


def test_a_period_that_cloudwatch_has_not_is_refused() -> None:
    with pytest.raises(BadInput, match="period 45"):
        fitting(45, time.time() - 60, time.time())
