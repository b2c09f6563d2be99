"""Transformations of our own, over Polars expressions."""

from __future__ import annotations

from functools import cache

from core.recipes.own.define import Definition


@cache
def definitions() -> dict[str, Definition]:
    """Every one by its name; loads Polars."""
    from core.recipes.own import (
        chosen,
        columns,
        encoding,
        missing,
        rows,
        scaling,
        series,
        texts,
        times,
    )

    modules = (columns, rows, missing, texts, times, series, scaling, encoding, chosen)
    return {each.about.name: each for module in modules for each in module.section.definitions}
