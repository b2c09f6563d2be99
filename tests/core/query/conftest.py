"""A workspace with a dataset `people`, which olga owns."""

from tests.support.governed import access, memory, space

__all__ = ["access", "memory", "space"]
