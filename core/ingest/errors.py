"""What can go wrong on the way into a dataset."""

from __future__ import annotations

from core.errors import OpsdeckError


class SourceUnreadable(OpsdeckError):
    """A file, folder, bucket or database to read from cannot be found or opened."""

    code = "E540"
    exit_status = 2


class BadRows(OpsdeckError):
    """What a source holds is broken: truncated, wrongly encoded, ragged, of another type."""

    code = "E541"
    exit_status = 2


class SchemaDiffers(OpsdeckError):
    """A source's columns do not fit the dataset's, or those of the other sources."""

    code = "E542"
    exit_status = 2


class SourceChanged(OpsdeckError):
    """A file changed while it was being read."""

    code = "E543"


class BatchQuarantined(OpsdeckError):
    """The batch failed the dataset's validation: it is kept in quarantine, not in the dataset."""

    code = "E544"


class BreakingChange(OpsdeckError):
    """A change of schema would break who reads the dataset, and nobody has agreed to it."""

    code = "E545"


class IntakeRunning(OpsdeckError):
    """An intake of this name has a process already."""

    code = "E546"


class SpoolBroken(OpsdeckError):
    """An intake's spool cannot be read or written."""

    code = "E547"
    exit_status = 4
