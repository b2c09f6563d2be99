"""The tables of what people do with alerts: events, silences, notifications."""

from __future__ import annotations
