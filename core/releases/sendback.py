"""Taking the traffic back from a deployment that is aborted or has failed, and the receipt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from core.domain.release import Receipt
from core.serving.control import EndpointControl

if TYPE_CHECKING:
    from core.state.store import Transaction


@dataclass(frozen=True, slots=True)
class SentBack:
    """What it cost to take the traffic back; nothing where there was none to take."""

    requests_failed: int = 0
    in_flight: int = 0
    milliseconds: float = 0.0


def send_back(
    control: EndpointControl, candidate: int, stable: int | None, weight: float, reason: str
) -> SentBack:
    """Send every request to the stable revision; without one to nothing (503), rather than
    to a version that nobody let pass. Raises what the control raises.

    `weight` is what the candidate was last recorded to have: with one, the requests under way
    are waited for and counted, also by whoever repeats this after its author was killed. What
    a supervisor that ended a crash loop has taken back by itself counts as well.
    """
    info = control.info()
    routed = set() if info is None else {variant.revision for variant in info.variants}
    served = weight > 0 or candidate in routed
    if stable is None:
        swap = control.clear_table(reason)
        return SentBack(milliseconds=swap.milliseconds) if served else SentBack()
    sent = SentBack()
    if served:
        report = control.rollback(stable, reason)
        sent = SentBack(
            report.requests_failed, report.in_flight_at_swap, report.milliseconds_to_swap
        )
    if not served or (control.folder.read() or {}).get("pinned"):
        control.set_table({stable: 100.0}, reason)  # also what is there already is wanted now
    crashed = info.gave_up if info is not None else None
    if crashed is not None and candidate in crashed.revisions:
        lost = sent.requests_failed + crashed.requests_failed
        sent = SentBack(lost, sent.in_flight, sent.milliseconds or crashed.milliseconds)
    return sent


def leave_receipt(
    tx: Transaction, deployment: Mapping[str, Any], sent: SentBack, reason: str
) -> str:
    """Write the receipt of a deployment whose traffic was taken back, in the transaction that
    ends it; returns its id, which is the deployment's own: the same again changes nothing."""
    import sqlalchemy as sa

    from core.releases import rows
    from core.state import schema

    table = schema.receipts
    receipt_id = f"back-{deployment['id']}"
    if tx.row(sa.select(table.c.id).where(table.c.id == receipt_id)) is not None:
        return receipt_id
    stable = rows.revision_row(tx, deployment["endpoint"], deployment["from_revision"])
    receipt = Receipt(
        id=receipt_id,
        endpoint=deployment["endpoint"],
        actor=tx.actor,
        reason=reason,
        from_model=deployment["model"],
        from_version=deployment["version"],
        to_model=stable["model"] if stable else "",
        to_version=stable["version"] if stable else 0,
        requests_failed=sent.requests_failed,
        in_flight=sent.in_flight,
        milliseconds=sent.milliseconds,
        at=tx.now,
        deployment_id=deployment["id"],
    )
    tx.execute(table.insert().values(asdict(receipt)))
    weight = deployment["set_weight"]
    told = (
        f"{weight:g} % of the traffic back to {receipt.to_name} in {sent.milliseconds:.3g} ms,"
        f" {sent.requests_failed} requests failed"
    )
    if not weight and sent == SentBack():
        told = "it had no traffic"
    rows.event(tx, deployment["id"], "sent_back", told)
    tx.journal(
        "endpoint.sent_back",
        f"endpoint/{receipt.endpoint}",
        receipt=receipt.id,
        **{"from": receipt.from_name},
        to=receipt.to_name,
        weight=weight,
        reason=reason,
        requests_failed=sent.requests_failed,
        milliseconds=round(sent.milliseconds, 3),
    )
    return receipt_id
