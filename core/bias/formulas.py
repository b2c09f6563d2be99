"""The formulas of the bias metrics of SageMaker Clarify, over tables of counts.

Sources: "Measure Pre-training Bias" and "Measure Post-training Data and Model Bias" of the
Amazon SageMaker AI developer guide; Hardt et al., "Amazon SageMaker Clarify: Machine Learning
Bias Detection and Explainability in the Cloud" (2021). a is the favoured group, d the
disadvantaged one, n rows, n¹ and n⁰ rows labelled positive and negative, n̂ predicted ones.
0/0 is 0, x/0 is ±∞ and the difference of two infinities of a kind is 0, as Clarify has it; NaN
means that the metric is not defined for these counts. Every function works on the last axes of
its table, so that resamples on leading axes are computed at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.bias.tables import A, Counts, D, Mask


def ratio(above: Counts, below: Counts) -> Counts:
    """above / below with 0/0 = 0 and x/0 = ±∞."""
    above, below = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    found: Counts = np.where(above == 0, 0.0, np.copysign(np.inf, above))
    np.divide(above, below, out=found, where=below != 0)
    return found


def difference(left: Counts, right: Counts) -> Counts:
    """left − right, where equal infinities differ by 0."""
    with np.errstate(invalid="ignore"):
        found: Counts = np.where(np.equal(left, right), 0.0, np.subtract(left, right))
    return found


def _share(counts: Counts, group: int) -> Counts:
    """The share of positive outcomes in a group; NaN in an empty one."""
    rows = counts[..., group, :].sum(axis=-1)
    found: Counts = np.full_like(rows, np.nan)
    np.divide(counts[..., group, 1], rows, out=found, where=rows != 0)
    return found


def class_imbalance(counts: Counts) -> Counts:
    """CI = (na − nd) / (na + nd)."""
    rows = counts.sum(axis=-1)
    na, nd = rows[..., A], rows[..., D]
    return np.where((na == 0) | (nd == 0), np.nan, ratio(na - nd, na + nd))


def positive_difference(counts: Counts) -> Counts:
    """DPL and DPPL: the share of positive outcomes of a less that of d."""
    return _share(counts, A) - _share(counts, D)


def _distributions(counts: Counts) -> tuple[Counts, Counts, Mask]:
    """Pa, Pd, and which outcomes both groups have: as in Clarify the others are left out."""
    rows = counts.sum(axis=-1, keepdims=True)
    shares = np.divide(counts, rows, out=np.zeros_like(counts), where=rows != 0)
    common = (shares[..., A, :] > 0) & (shares[..., D, :] > 0)
    return shares[..., A, :], shares[..., D, :], common


def _defined(common: Mask, value: Counts) -> Counts:
    return np.where(common.any(axis=-1), value, np.nan)


def _divergence(p: Counts, q: Counts, common: Mask) -> Counts:
    quotient = np.divide(p, q, out=np.ones_like(p), where=common)
    found: Counts = np.where(common, p * np.log(quotient), 0.0).sum(axis=-1)
    return found


def kullback_leibler(counts: Counts) -> Counts:
    """KL = Σ Pa ln(Pa / Pd), over the outcomes that both groups have."""
    pa, pd, common = _distributions(counts)
    return _defined(common, _divergence(pa, pd, common))


def jensen_shannon(counts: Counts) -> Counts:
    """JS = ½ (KL(Pa, P) + KL(Pd, P)) with P = ½ (Pa + Pd)."""
    pa, pd, common = _distributions(counts)
    mean = (pa + pd) / 2
    value = (_divergence(pa, mean, common) + _divergence(pd, mean, common)) / 2
    return _defined(common, value)


def _gaps(counts: Counts) -> tuple[Counts, Mask]:
    pa, pd, common = _distributions(counts)
    return np.where(common, np.abs(pa - pd), 0.0), common


def lp_norm(counts: Counts) -> Counts:
    """LP = (Σ |Pa − Pd|²)^½."""
    gaps, common = _gaps(counts)
    return _defined(common, np.sqrt((gaps**2).sum(axis=-1)))


def total_variation(counts: Counts) -> Counts:
    """TVD = ½ Σ |Pa − Pd|."""
    gaps, common = _gaps(counts)
    return _defined(common, gaps.sum(axis=-1) / 2)


def kolmogorov_smirnov(counts: Counts) -> Counts:
    """KS = max |Pa − Pd|."""
    gaps, common = _gaps(counts)
    return _defined(common, gaps.max(axis=-1))


def conditional_disparity(counts: Counts) -> Counts:
    """CDDL and CDDPL = Σ nᵢ DDᵢ / n, DDᵢ being d's share of the rejected less its share of the
    accepted among the nᵢ rows of one value of the group variable (a share of none is 0).

    Wachter, Mittelstadt and Russell, "Why Fairness Cannot Be Automated" (2021).
    """
    outcomes = counts.sum(axis=-2)  # value, outcome
    shares = ratio(counts[..., D, :], outcomes)
    rows = outcomes.sum(axis=-1)
    value = ratio((rows * (shares[..., 0] - shares[..., 1])).sum(axis=-1), rows.sum(axis=-1))
    both = (outcomes.sum(axis=-2) > 0).all(axis=-1)
    return np.where(both, value, np.nan)


def disparate_impact(counts: Counts) -> Counts:
    """DI = q̂d / q̂a: neutral at 1; US practice looks below 0.8."""
    qa, qd = _share(counts, A), _share(counts, D)
    return np.where(np.isnan(qa) | np.isnan(qd), np.nan, ratio(qd, qa))


def _outcomes(counts: Counts, group: int) -> tuple[Counts, Counts, Counts, Counts]:
    """True and false negatives, false and true positives: TN, FP, FN, TP."""
    of = counts[..., group, :, :]
    return of[..., 0, 0], of[..., 0, 1], of[..., 1, 0], of[..., 1, 1]


def _each(counts: Counts, rate: Callable[..., Counts]) -> tuple[Counts, Counts]:
    """A rate of TN, FP, FN and TP, in a and in d."""
    return rate(*_outcomes(counts, A)), rate(*_outcomes(counts, D))


def _both(counts: Counts, value: Counts) -> Counts:
    """NaN where a group is empty."""
    return np.where((counts.sum(axis=(-1, -2)) > 0).all(axis=-1), value, np.nan)


def conditional_acceptance(counts: Counts) -> Counts:
    """DCAcc = n¹a / n̂¹a − n¹d / n̂¹d."""
    a, d = _each(counts, lambda tn, fp, fn, tp: ratio(tp + fn, tp + fp))
    return _both(counts, difference(a, d))


def conditional_rejection(counts: Counts) -> Counts:
    """DCR = n⁰d / n̂⁰d − n⁰a / n̂⁰a."""
    a, d = _each(counts, lambda tn, fp, fn, tp: ratio(tn + fp, tn + fn))
    return _both(counts, difference(d, a))


def recall_difference(counts: Counts) -> Counts:
    """RD = TPa / (TPa + FNa) − TPd / (TPd + FNd)."""
    a, d = _each(counts, lambda tn, fp, fn, tp: ratio(tp, tp + fn))
    return _both(counts, difference(a, d))


def specificity_difference(counts: Counts) -> Counts:
    """SD = TNd / (TNd + FPd) − TNa / (TNa + FPa)."""
    a, d = _each(counts, lambda tn, fp, fn, tp: ratio(tn, tn + fp))
    return _both(counts, difference(d, a))


def acceptance_rates(counts: Counts) -> Counts:
    """DAR = TPa / n̂¹a − TPd / n̂¹d: the difference of the precisions."""
    a, d = _each(counts, lambda tn, fp, fn, tp: ratio(tp, tp + fp))
    return _both(counts, difference(a, d))


def rejection_rates(counts: Counts) -> Counts:
    """DRR = TNd / n̂⁰d − TNa / n̂⁰a: the difference of the negative predictive values."""
    a, d = _each(counts, lambda tn, fp, fn, tp: ratio(tn, tn + fn))
    return _both(counts, difference(d, a))


def accuracy_difference(counts: Counts) -> Counts:
    """AD = accuracy of a less that of d."""
    a, d = _each(counts, lambda tn, fp, fn, tp: ratio(tn + tp, tn + fp + fn + tp))
    return _both(counts, difference(a, d))


def treatment_equality(counts: Counts) -> Counts:
    """TE = FNd / FPd − FNa / FPa."""
    a, d = _each(counts, lambda tn, fp, fn, tp: ratio(fn, fp))
    return _both(counts, difference(d, a))


def flip_test(counts: Counts) -> Counts:
    """FT = (F⁺ − F⁻) / nd, from the table of flips; see `core.bias.flips`."""
    return ratio(counts[..., 0] - counts[..., 1], counts.sum(axis=-1))


def generalized_entropy(counts: Counts) -> Counts:
    """GE = Σ ((bᵢ / μ)² − 1) / 2n with the benefit bᵢ = ŷᵢ − yᵢ + 1 and its mean μ, over all rows.

    Speicher et al., "A Unified Approach to Quantifying Algorithmic Unfairness" (2018), α = 2.
    Not defined where every row is a false negative: nobody has any benefit.
    """
    tn, fp, fn, tp = (part.sum(axis=-1) for part in np.moveaxis(
        counts.reshape((*counts.shape[:-2], 4)), -1, 0
    ))  # fmt: skip
    rows = tn + fp + fn + tp
    total = tn + tp + 2 * fp
    # Σ (b/μ)² / 2n − ½ = n Σ b² / 2 (Σ b)² − ½
    squares = rows * (tn + tp + 4 * fp)
    value = np.divide(squares, 2 * total**2, out=np.full_like(rows, np.nan), where=total > 0)
    found: Counts = value - 0.5
    return found
