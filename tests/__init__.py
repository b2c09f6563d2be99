"""Tests; a package, so that another distribution's `tests` is not taken for it."""
