"""The tables of monitors, their baselines, runs and measurements."""

from __future__ import annotations
