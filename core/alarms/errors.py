"""What can be wrong with alarms."""

from __future__ import annotations

from core.errors import BadInput, NotFound, WrongState


class AlarmRuleInvalid(BadInput):
    """The rule of a composite alarm cannot be read."""

    code = "E620"


class AlarmsInvalid(BadInput):
    """A definition of an alarm or an objective is wrong."""

    code = "E621"


class NoSuchAlarm(NotFound):
    """There is no alarm of that name."""

    code = "E622"


class AlarmInAlarm(WrongState):
    """An alarm that would roll the deployment back is in ALARM before it begins."""

    code = "E623"
