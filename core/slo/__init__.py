"""Service level objectives: definitions, error budgets, burn rates, the alarms on them."""

from core.slo.burning import derived_alarms, tiers
from core.slo.definitions import read_slos

__all__ = ["derived_alarms", "read_slos", "tiers"]
