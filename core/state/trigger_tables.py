"""The tables of triggers of continuous training and rows that wait for a label."""

from __future__ import annotations
