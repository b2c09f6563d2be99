"""From the name of a transformation to what does it."""

from __future__ import annotations

from functools import cache

from core.domain.recipe import Transformation
from core.recipes.catalogue import find
from core.recipes.operation import Operation


@cache
def operation_of(name: str) -> Operation:
    """The operation of a transformation; loads the library it needs when it is used.

    Raises `NotFound` for a name that the catalogue does not hold.
    """
    about = find(name)
    if about.library == "opsdeck":
        from core.recipes.own import definitions

        return definitions()[name].operation
    from core.recipes.libraries import operation

    return operation(about)


def library_versions(used: frozenset[str]) -> dict[str, str]:
    """The versions of the libraries that transformations with learned state come from."""
    from importlib.metadata import version

    return {name: version(name) for name in sorted(used & {"scikit-learn", "feature-engine"})}


def about(name: str) -> Transformation:
    """The catalogue's entry; raises `NotFound`."""
    return find(name)
