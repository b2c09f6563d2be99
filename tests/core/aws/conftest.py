"""A workspace on either database, beside the simulated account of tests/support/aws.py."""

from tests.support.opened import database_url, open_as, ops, woken

__all__ = ["database_url", "open_as", "ops", "woken"]
