"""Which kinds of alert are one alert when they come together about the same target."""

from __future__ import annotations

GROUPING_SECONDS = 24 * 3600.0
"""How long after its last event an open alert takes in other causes of its family."""

REOPEN_SECONDS = 6 * 3600.0
"""How long after its end an alert is opened again rather than another one made."""

_FAMILIES: dict[str, tuple[str, ...]] = {
    # What a model is asked, what it makes of it and how well: what moves together is looked at
    # together, and is as severe as the worst of it.
    "model": (
        "drift", "attribution", "attribution_drift", "seasonal_drift",
        "model_quality", "concept_drift", "estimated_quality", "bias", "bias_drift",
    ),
    "data": ("data_quality", "schema", "missing_data", "freshness", "volume"),
    "service": ("service", "slo", "anomaly", "latency", "errors"),
}  # fmt: skip
_FAMILY_OF = {kind: family for family, kinds in _FAMILIES.items() for kind in kinds}


def family_of(kind: str) -> str:
    """The family of a kind; a kind of no family is one by itself."""
    return _FAMILY_OF.get(kind, kind)
