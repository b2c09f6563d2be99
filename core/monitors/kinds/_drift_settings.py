"""The settings of a monitor of kind `drift`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from core.releases import values
from core.releases.values import Problems

if TYPE_CHECKING:
    from core.drift.decide import Rule

METHODS = ("significance", "robust", "simple")
SEASONS = ("hour", "weekday", "hour_of_week", "month", "month_hour")
PROFILES = ("default", "sagemaker")
CALIBRATIONS = ("state", "raise", "off")
SEVERITIES = ("info", "warning", "critical")
METRICS = (
    "ks", "psi", "js", "wasserstein", "wasserstein_normalised", "mean_shift", "chi_square", "tvd",
    "linf", "cramers_v", "linf_simple", "linf_robust", "missing_share",
)  # fmt: skip
_VOTES = re.compile(r"\s*(\d+)\s*(?:of|/)\s*(\d+)\s*")
MOST_VOTES = 60


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """What a feature must do to count as drifting, and what is looked at besides.

    `method` `significance`: adjusted p (Benjamini-Hochberg) at most `q` and an effect of at
    least `effect` (KS's D) or `category_effect` (total variation). `robust` and `simple`:
    SageMaker's distance above the same. In `m` of the last `n` windows. `seasonal`: compared
    with the baseline's rows of the same part of the cycle, by the clock of `timezone`.
    `outputs`: predictions and scores too. `multivariate`: a classifier tells the rows apart,
    with an AUC of at least `auc`. `calibrate`: `state` what the rule comes to on the baseline's
    own windows; `raise` the effects so that these do not drift; or `off`. `metrics`: the numbers
    that are kept of each column; what is judged by always is.
    """

    method: str = "significance"
    q: float = 0.01
    effect: float = 0.05
    category_effect: float = 0.05
    m: int = 2
    n: int = 3
    segment_rows: int = 200
    seasonal: str = ""
    timezone: str = "UTC"
    outputs: bool = True
    multivariate: bool = False
    auc: float = 0.55
    calibrate: str = "state"
    metrics: tuple[str, ...] = METRICS
    severity: str = "info"
    exact: int = 20_000
    sketch: int = 1_024

    def rule(self, minimum_rows: int, limits: Mapping[str, float] | None = None) -> Rule:
        """The rule as the numerics know it."""
        from core.drift.decide import Rule

        return Rule(
            method=self.method,
            q=self.q,
            effect=self.effect,
            category_effect=self.category_effect,
            m=self.m,
            n=self.n,
            minimum_rows=minimum_rows,
            segment_rows=min(self.segment_rows, minimum_rows),
            limits=limits,
        )


KEYS = (
    "profile", "method", "q", "effect", "category_effect", "votes", "segment_rows", "seasonal",
    "timezone", "outputs", "multivariate", "auc", "calibrate", "metrics", "severity", "exact",
    "sketch",
)  # fmt: skip
_SAGEMAKER = {
    "method": "robust", "effect": 0.1, "category_effect": 0.1, "m": 1, "n": 1,
    "severity": "warning",
}  # fmt: skip


def read_drift(problems: Problems, where: str, data: Mapping[str, Any]) -> DriftSettings:
    """The settings under `where`; what is wrong is noted and left at its default."""
    known = values.known_keys(problems, where, data, KEYS) or {}
    found: dict[str, Any] = {}
    if "profile" in known:
        profile = values.one_of(problems, f"{where}.profile", known["profile"], PROFILES)
        found |= _SAGEMAKER if profile == "sagemaker" else {}
    for key, given in known.items():
        if key in ("profile", "votes"):
            continue
        value = _READ[key](problems, f"{where}.{key}", given)
        if value is not None:
            found[key] = value
    if "votes" in known:
        found |= read_votes(problems, f"{where}.votes", known["votes"])
    return DriftSettings(**found)


def read_votes(problems: Problems, where: str, given: Any) -> dict[str, int]:
    """`2 of 3` (or `2/3`, or `1`) as m and n; nothing, noted, for anything else."""
    match = _VOTES.fullmatch(given) if isinstance(given, str) else None
    if match is not None:
        m, n = int(match[1]), int(match[2])
    elif given == 1 and not isinstance(given, bool):
        m = n = 1
    else:
        problems.add(where, f"votes of windows, not {values.shown(given)}", "such as 2 of 3")
        return {}
    if not 1 <= m <= n <= MOST_VOTES:
        problems.add(where, f"M of N with 1 <= M <= N <= {MOST_VOTES}", "such as 2 of 3")
        return {}
    return {"m": m, "n": n}


def _timezone(problems: Problems, where: str, given: Any) -> str | None:
    name = values.text(problems, where, given)
    if name is None:
        return None
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        problems.add(where, f"unknown time zone {values.shown(given)}", "such as Europe/Berlin")
        return None
    return name


def _metrics(problems: Problems, where: str, given: Any) -> tuple[str, ...] | None:
    if not isinstance(given, list):
        problems.add(where, f"a list of metrics, not {values.shown(given)}", ", ".join(METRICS))
        return None
    read = [values.one_of(problems, f"{where}[{i}]", each, METRICS) for i, each in enumerate(given)]
    return tuple(each for each in read if each is not None)


def _one_of(*words: str) -> Any:
    return lambda problems, where, given: values.one_of(problems, where, given, words)


def _whole(least: int, most: int) -> Any:
    return lambda problems, where, given: values.whole(problems, where, given, least, most)


def _share(problems: Problems, where: str, given: Any) -> float | None:
    return values.share(problems, where, given)


def _flag(problems: Problems, where: str, given: Any) -> bool | None:
    return values.flag(problems, where, given)


_READ: dict[str, Any] = {
    "method": _one_of(*METHODS),
    "q": _share,
    "effect": _share,
    "category_effect": _share,
    "segment_rows": _whole(2, 10**9),
    "seasonal": _one_of(*SEASONS),
    "timezone": _timezone,
    "outputs": _flag,
    "multivariate": _flag,
    "auc": _share,
    "calibrate": _one_of(*CALIBRATIONS),
    "metrics": _metrics,
    "severity": _one_of(*SEVERITIES),
    "exact": _whole(0, 1_000_000),
    "sketch": _whole(16, 100_000),
}
