"""SNS: a topic tells how many are told. Everything else is moto's."""

from __future__ import annotations

from typing import Any

from core.simulated.registry import operation
from core.simulated.state import Call, State


@operation("sns", "GetTopicAttributes")
def attributes(state: State, call: Call) -> dict[str, Any]:
    answer = call.moto()
    told = state.moto("sns", "ListSubscriptionsByTopic", TopicArn=call.params["TopicArn"])
    arns = [each.get("SubscriptionArn") for each in told.get("Subscriptions", ())]
    pending = arns.count("PendingConfirmation")
    answer["Attributes"] |= {
        "SubscriptionsConfirmed": str(len(arns) - pending),
        "SubscriptionsPending": str(pending),
    }
    return answer
