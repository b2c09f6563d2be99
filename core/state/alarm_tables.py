"""The tables of metric points, alarms and their history."""

from __future__ import annotations
