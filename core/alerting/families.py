"""Which kinds of alert are one alert when they come together about the same target."""

from __future__ import annotations

_FAMILIES: dict[str, tuple[str, ...]] = {
    "drift": ("drift", "attribution", "attribution_drift", "seasonal_drift"),
    "data": ("data_quality", "schema", "missing_data", "freshness", "volume"),
    "quality": ("model_quality", "concept_drift", "estimated_quality"),
    "bias": ("bias", "bias_drift"),
    "service": ("service", "slo", "anomaly", "latency", "errors"),
}
_FAMILY_OF = {kind: family for family, kinds in _FAMILIES.items() for kind in kinds}


def family_of(kind: str) -> str:
    """The family of a kind; a kind of no family is one by itself."""
    return _FAMILY_OF.get(kind, kind)
