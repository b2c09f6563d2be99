"""What the file says of a monitor of attributions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.monitors.kinds._periods import read_periods
from core.releases import values
from core.releases.values import Problems

KEYS = (
    "threshold", "explained_rows", "background_rows", "seconds", "datapoints_to_alarm",
    "evaluation_periods",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """nDCG below `threshold` is a violation, when it is so in `datapoints_to_alarm` of the last
    `evaluation_periods` windows. `explained_rows` of a window are explained at most; a model
    that is no ensemble of trees is asked about at most 200 of them, for at most `seconds`, with
    `background_rows` of the training data to stand for what is not known."""

    threshold: float = 0.9
    explained_rows: int = 500
    background_rows: int = 50
    seconds: float = 60.0
    datapoints_to_alarm: int = 1
    evaluation_periods: int = 1


def read_settings(problems: Problems, where: str, data: Mapping[str, Any]) -> Settings:
    """The settings; what is wrong is noted, and a default stands in its place."""
    values.known_keys(problems, where, data, KEYS)
    usual = Settings()
    threshold = values.number(
        problems, f"{where}.threshold", data.get("threshold", usual.threshold), 0, 1
    )
    counts = {
        key: values.whole(problems, f"{where}.{key}", data.get(key, getattr(usual, key)), 1, most)
        for key, most in (("explained_rows", 100_000), ("background_rows", 1_000))
    }
    seconds = values.seconds(
        problems, f"{where}.seconds", data.get("seconds", usual.seconds), least=1.0
    )
    datapoints, periods = read_periods(problems, where, data, (1, 1))
    return Settings(
        usual.threshold if threshold is None else threshold,
        counts["explained_rows"] or usual.explained_rows,
        counts["background_rows"] or usual.background_rows,
        usual.seconds if seconds is None else seconds,
        datapoints,
        periods,
    )
