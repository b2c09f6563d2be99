"""What can go wrong with a query."""

from __future__ import annotations

from core.errors import OpsdeckError


class QueryInvalid(OpsdeckError):
    """Not one SELECT statement, a syntax error, or a name that is not there."""

    code = "E530"
    exit_status = 2


class QueryRefused(OpsdeckError):
    """The statement would read or change something else than datasets."""

    code = "E531"


class QueryTimeout(OpsdeckError):
    """It took longer than it may, and was ended."""

    code = "E532"


class QueryTooBig(OpsdeckError):
    """It needs more memory than it may have."""

    code = "E533"


class QueryCancelled(OpsdeckError):
    """Somebody ended it."""

    code = "E534"


class QueryFailed(OpsdeckError):
    """It failed on the rows, such as a text that is no number."""

    code = "E535"
