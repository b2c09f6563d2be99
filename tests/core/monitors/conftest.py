"""A small workspace on either database, with an endpoint that was asked."""

from tests.support.opened import database_url, open_as, ops, woken
from tests.support.watched import counting, watched

__all__ = ["counting", "database_url", "open_as", "ops", "watched", "woken"]
