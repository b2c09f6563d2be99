"""What counts as drift: significant after correction for many features, large enough to matter,
and in M of the last N windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.drift.compare import Compared
from core.drift.pvalues import adjusted


@dataclass(frozen=True, slots=True)
class Rule:
    """`method` is `significance` (Benjamini-Hochberg at `q` over all features and segments of a
    window, and an effect of at least `effect`) or SageMaker's `simple` or `robust` (the L-infinity
    distance above `effect` for numbers, `category_effect` for categories). `limits` raise the
    effect for single features. A feature drifts when `m` of its last `n` windows say so. Fewer
    than `minimum_rows` values are no ground for any statement."""

    method: str = "significance"
    q: float = 0.01
    effect: float = 0.05
    category_effect: float = 0.05
    m: int = 2
    n: int = 3
    minimum_rows: int = 500
    segment_rows: int = 200
    limits: Mapping[str, float] | None = None

    def limit(self, compared: Compared) -> float:
        """The least effect that counts for this column."""
        plain = self.effect if compared.effect_metric == "ks" else self.category_effect
        return max(plain, (self.limits or {}).get(compared.name, 0.0))

    def words(self, compared: Compared) -> str:
        """The rule for this column in words."""
        limit = f"{self.limit(compared):g}"
        votes = f", {self.m} of {self.n} windows" if self.n > 1 else ""
        if self.method == "significance":
            name = "D" if compared.effect_metric == "ks" else "TVD"
            return f"{name} >= {limit} and BH q = {self.q:g}{votes}"
        return f"distance > {limit}{votes}"


@dataclass(frozen=True, slots=True)
class Judged:
    """A column after the rule: `flagged` in this window, `drifts` by the votes of the last;
    `insufficient` where there were too few values to say. `adjusted_p` is after Benjamini and
    Hochberg."""

    compared: Compared
    flagged: bool = False
    drifts: bool = False
    insufficient: bool = False
    adjusted_p: float | None = None
    votes: int = 0


def judge(
    found: Sequence[Compared], rule: Rule, history: Mapping[str, Sequence[int]]
) -> tuple[list[Judged], dict[str, list[int]]]:
    """Apply the rule to a window's columns and segments; and the votes to remember.

    A column without enough values takes no vote and keeps the ones it had. Only those with votes
    for drift are remembered.
    """
    able = [i for i, each in enumerate(found) if _able(each, rule)]
    corrected = adjusted([found[i].p_value or 0.0 for i in able])
    q_values = dict(zip(able, (float(p) for p in corrected), strict=True))
    result: list[Judged] = []
    votes: dict[str, list[int]] = {}
    for place, each in enumerate(found):
        past = [int(vote) for vote in history.get(each.key, ())][-(rule.n - 1) :]
        past = past if rule.n > 1 else []
        if place not in q_values:
            if any(past):
                votes[each.key] = past
            result.append(Judged(each, insufficient=not each.shown_only))
            continue
        flagged = _flagged(each, rule, q_values[place])
        cast = [*past, int(flagged)]
        if any(cast):
            votes[each.key] = cast
        for_drift = sum(cast)
        result.append(Judged(each, flagged, for_drift >= rule.m, False, q_values[place], for_drift))
    return result, votes


def _able(each: Compared, rule: Rule) -> bool:
    if each.note or each.effect is None:
        return False
    least = rule.segment_rows if each.segment else rule.minimum_rows
    return each.rows >= least


def _flagged(each: Compared, rule: Rule, q_value: float) -> bool:
    effect = each.effect or 0.0
    if rule.method == "significance":
        return q_value <= rule.q and effect >= rule.limit(each)
    metric = "linf_robust" if rule.method == "robust" else "linf_simple"
    return (each.values.get(metric) or 0.0) > rule.limit(each)
