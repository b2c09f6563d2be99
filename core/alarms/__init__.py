"""Alarms over any metric of any source: definitions, states, and what they do."""

from core.alarms.definitions import check_together, read_alarm, read_alarms

__all__ = ["check_together", "read_alarm", "read_alarms"]
