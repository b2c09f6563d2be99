"""Alerts for people: grouped by cause, worked on, and told to whoever is on call."""

from __future__ import annotations

from core.alerting.incidents import raise_incident, resolve_incident

__all__ = ["raise_incident", "resolve_incident"]
