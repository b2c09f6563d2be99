"""Requests of this account count as sent over TLS.

moto denies by a Deny whatever its condition says, so that a bucket with the usual policy
"only over TLS" could not be used at all; and on loopback there is no TLS. A Deny whose only
condition is that a request came without TLS therefore concerns none here.
"""

from __future__ import annotations

from typing import Any

from moto.iam.access_control import IAMPolicyStatement, PermissionResult

_PLAIN = IAMPolicyStatement.is_action_permitted


def _only_without_tls(statement: dict[str, Any]) -> bool:
    conditions = statement.get("Condition") or {}
    keys = {key.lower() for operands in conditions.values() for key in operands}
    return statement.get("Effect") == "Deny" and keys == {"aws:securetransport"}


def _over_tls(self: IAMPolicyStatement, *given: Any, **named: Any) -> PermissionResult:
    if _only_without_tls(self._statement):
        return PermissionResult.NEUTRAL
    return _PLAIN(self, *given, **named)


IAMPolicyStatement.is_action_permitted = _over_tls  # type: ignore[method-assign]
