"""The register of Clarify's bias metrics: name, formula, neutral value, and what one says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from core.bias import formulas as f
from core.bias.errors import BiasInvalid
from core.bias.tables import Counts, Table


class Stage(StrEnum):
    """When a metric can be computed: on labels alone, or with predictions."""

    PRE_TRAINING = "pre_training"
    POST_TRAINING = "post_training"


@dataclass(frozen=True, slots=True)
class Metric:
    """One bias metric.

    `description` is Clarify's. `neutral` is the value of no bias; `unsigned` metrics are never
    below it, and say how far but not whom it hurts; `of_sizes` says that it is about how many
    rows the groups have. What is not `comparable` comes out otherwise by how many rows there
    are, and its interval knows only a part of its noise: it is shown and never judged. `above`
    and `below` say in a few words what a value on that side of neutral means for the
    disadvantaged group.
    """

    name: str
    stage: Stage
    table: Table
    formula: Callable[[Counts], Counts]
    description: str
    above: str
    below: str = ""
    neutral: float = 0.0
    unsigned: bool = False
    of_sizes: bool = False
    comparable: bool = True

    def value(self, counts: Counts) -> float:
        """The metric of one table; NaN where it is not defined."""
        return float(self.formula(counts))

    def undefined(self, counts: Counts) -> str:
        """Why it is not defined for a table, in words."""
        if self.table is Table.FLIPS or not counts.sum():
            return "no rows"
        if self.name == "GE":
            return "every row is a false negative: nobody has any benefit"
        if self.name in ("CDDL", "CDDPL"):
            outcome = "labels" if self.name == "CDDL" else "predicted labels"
            sums = counts.sum(axis=(0, 1))
            return f"no {'positive' if sums[1] == 0 else 'negative'} {outcome}"
        rows = counts.reshape(2, -1).sum(axis=1)
        if not rows.all():
            return "no rows in the facet" if rows[0] else "no rows outside the facet"
        return "the two groups have no outcome in common"

    def says(self, value: float) -> str:
        """One line for a person about a value."""
        if np.isnan(value) or value == self.neutral:
            return "no difference" if value == self.neutral else ""
        return self.above if value > self.neutral or self.unsigned else self.below


_PRE, _POST = Stage.PRE_TRAINING, Stage.POST_TRAINING
_DIFFER = "the labels of the two groups are distributed differently"

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("CI", _PRE, Table.LABELS, f.class_imbalance, "Class Imbalance (CI)",
               "the group has fewer rows than the others", "the group has more rows",
               of_sizes=True),
        Metric("DPL", _PRE, Table.LABELS, f.positive_difference,
               "Difference in Positive Proportions in Labels (DPL)",
               "labelled positive less often", "labelled positive more often"),
        Metric("KL", _PRE, Table.LABELS, f.kullback_leibler,
               "Kullback-Leibler Divergence (KL)", _DIFFER, unsigned=True),
        Metric("JS", _PRE, Table.LABELS, f.jensen_shannon,
               "Jensen-Shannon Divergence (JS)", _DIFFER, unsigned=True),
        Metric("LP", _PRE, Table.LABELS, f.lp_norm, "L-p Norm (LP)", _DIFFER, unsigned=True),
        Metric("TVD", _PRE, Table.LABELS, f.total_variation,
               "Total Variation Distance (TVD)", _DIFFER, unsigned=True),
        Metric("KS", _PRE, Table.LABELS, f.kolmogorov_smirnov,
               "Kolmogorov-Smirnov Distance (KS)", _DIFFER, unsigned=True),
        Metric("CDDL", _PRE, Table.LABEL_GROUPS, f.conditional_disparity,
               "Conditional Demographic Disparity in Labels (CDDL)",
               "within groups, a larger share of the rejected than of the accepted",
               "within groups, a larger share of the accepted than of the rejected"),
        Metric("DPPL", _POST, Table.PREDICTIONS, f.positive_difference,
               "Difference in Positive Proportions in Predicted Labels (DPPL)",
               "predicted positive less often", "predicted positive more often"),
        Metric("DI", _POST, Table.PREDICTIONS, f.disparate_impact, "Disparate Impact (DI)",
               "predicted positive more often", "predicted positive less often", neutral=1.0),
        Metric("DCAcc", _POST, Table.OUTCOMES, f.conditional_acceptance,
               "Difference in Conditional Acceptance (DCAcc)",
               "fewer who deserve it for each predicted positive",
               "more who deserve it for each predicted positive: it is held back"),
        Metric("DCR", _POST, Table.OUTCOMES, f.conditional_rejection,
               "Difference in Conditional Rejection (DCR)",
               "fewer predicted negative than are: it is favoured",
               "more predicted negative than are: it is held back"),
        Metric("RD", _POST, Table.OUTCOMES, f.recall_difference, "Recall Difference (RD)",
               "the deserving are found less often", "the deserving are found more often"),
        Metric("SD", _POST, Table.OUTCOMES, f.specificity_difference,
               "Specificity Difference (SD)",
               "true negatives are found more often", "true negatives are found less often"),
        Metric("DAR", _POST, Table.OUTCOMES, f.acceptance_rates,
               "Difference in Acceptance Rates (DAR)",
               "a predicted positive is right less often",
               "a predicted positive is right more often"),
        Metric("DRR", _POST, Table.OUTCOMES, f.rejection_rates,
               "Difference in Rejection Rates (DRR)",
               "a predicted negative is right more often",
               "a predicted negative is right less often"),
        Metric("AD", _POST, Table.OUTCOMES, f.accuracy_difference, "Accuracy Difference (AD)",
               "predicted less accurately", "predicted more accurately"),
        Metric("CDDPL", _POST, Table.PREDICTION_GROUPS, f.conditional_disparity,
               "Conditional Demographic Disparity in Predicted Labels (CDDPL)",
               "within groups, a larger share of the rejected than of the accepted",
               "within groups, a larger share of the accepted than of the rejected"),
        Metric("TE", _POST, Table.OUTCOMES, f.treatment_equality, "Treatment Equality (TE)",
               "errors go against the group more than against others",
               "errors go in favour of the group more than of others"),
        Metric("FT", _POST, Table.FLIPS, f.flip_test, "Flip Test (FT)",
               "treated better than its nearest neighbours outside the group",
               "treated worse than its nearest neighbours outside the group",
               comparable=False),
        Metric("GE", _POST, Table.OUTCOMES, f.generalized_entropy, "Generalized Entropy (GE)",
               "the errors are spread unequally over all rows", unsigned=True),
    )
}  # fmt: skip
"""Every metric by its short name, in Clarify's order."""


def chosen(names: Sequence[str] = (), stages: Sequence[Stage] = tuple(Stage)) -> list[Metric]:
    """The metrics named (every one where none is) of these stages, in the register's order.

    Raises `BiasInvalid` for a name that is none.
    """
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise BiasInvalid(f"no bias metric {unknown[0]}", f"there are: {', '.join(METRICS)}")
    wanted = names or METRICS
    return [m for m in METRICS.values() if m.name in wanted and m.stage in stages]
