"""What can be wrong with alerts and their notifications."""

from __future__ import annotations

from core.errors import OpsdeckError


class AlertsConfigInvalid(OpsdeckError):
    """The section `alerts:` of opsdeck.yaml is wrong."""

    code = "E630"
    exit_status = 2


class SecretMissing(OpsdeckError):
    """An address takes a variable of the environment that is not set where it is used."""

    code = "E631"
    exit_status = 4


class NotificationFailed(OpsdeckError):
    """An address did not take a message, or not in time."""

    code = "E632"
    exit_status = 4


class NobodyToTell(OpsdeckError):
    """An alert should be escalated, and there is no further level that knows anybody."""

    code = "E633"


class RunbookUnreadable(OpsdeckError):
    """A runbook of the workspace is not there, outside of it, or no text."""

    code = "E634"
    exit_status = 2
