"""What went wrong inside a workflow, in words for people."""

from __future__ import annotations

import logging

from core.errors import OpsdeckError

log = logging.getLogger("opsdeck.worker")


def in_words(error: Exception, what: str) -> str:
    """One line for people; what is not meant for them goes to the worker's log."""
    if isinstance(error, OpsdeckError):
        return error.one_line()
    log.error("%s", what, exc_info=error)
    return f"internal error, see worker.log: {type(error).__name__}: {error}"[:500]
