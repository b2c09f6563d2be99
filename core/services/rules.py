"""What must hold before an endpoint is made or a version is brought to one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.domain.gate import ApprovalStatus
from core.errors import BadInput, NotAllowed
from core.serving.bounds import MOST_SERVERS
from core.serving.config import EndpointConfig
from core.state.reading import Reader
from core.workerbounds import MOST_WORKERS

if TYPE_CHECKING:
    from core.state.store import Transaction

LEAST_TOKEN = 16


def check_name(name: str) -> None:
    """Raise `BadInput` for a name that cannot be a folder and a part of an address."""
    if not (0 < len(name) <= 63 and all(c.isalnum() or c in "-_" for c in name) and name.isascii()):
        raise BadInput(
            f"endpoint name {name!r}", "use up to 63 letters, digits, hyphens and underscores"
        )


def check_token(token: str) -> None:
    """Raise `BadInput` for a token that could be guessed or does not go into a header."""
    if len(token) < LEAST_TOKEN:
        raise BadInput(
            f"the token has {len(token)} characters, at least {LEAST_TOKEN} are needed",
            "for example: openssl rand -hex 32",
        )
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise BadInput("the token must be printable ASCII without spaces")


def check_config(config: EndpointConfig) -> None:
    """Raise `BadInput` that names the setting which cannot be."""
    bounds: tuple[tuple[str, float, float, float], ...] = (
        ("min-servers", config.min_servers, 1, MOST_SERVERS),
        ("max-servers", config.max_servers, config.min_servers, MOST_SERVERS),
        ("min-workers", config.min_workers, 1, MOST_WORKERS),
        ("max-workers", config.max_workers, config.min_workers, MOST_WORKERS),
        ("max-concurrency", config.max_concurrency, 1, 1_000_000),
        ("max-connections", config.max_connections, 1, 1_000_000),
        ("max-body", config.max_body, 1, 1 << 34),
        ("predict-timeout", config.predict_timeout, 0.001, 86_400),
        ("read-timeout", config.read_timeout, 0.001, 86_400),
        ("target-in-flight", config.target_in_flight, 0.1, 1_000_000),
        ("target-per-worker", config.target_per_worker, 0.1, 1_000_000),
        ("capture-rate", config.capture_rate, 0, 1),
        ("capture-bytes", config.capture_bytes, 0, 1 << 50),
    )
    for name, value, least, most in bounds:
        if not least <= value <= most:  # also refuses what is no number
            raise BadInput(f"--{name} {value:g} is not between {least:g} and {most:g}")
    if not config.host.strip():
        raise BadInput("--host is empty", "127.0.0.1 lets only this machine in")
    config.check()


_NEWEST = (
    "SELECT id, gate, status FROM approvals WHERE model = :model AND version = :version"
    " ORDER BY opened_at DESC LIMIT 1"
)


def gate_words(reader: Reader, model: str, version: int) -> str:
    """How a version's newest approval request stands, in words."""
    rows = reader.rows(_NEWEST, model=model, version=version)
    if not rows:
        return "nobody was asked about this version"
    if rows[0]["status"] == ApprovalStatus.APPROVED:
        return f"approved at gate {rows[0]['gate']}"
    return f"{rows[0]['status']} at gate {rows[0]['gate']}: it needs --override and a reason"


def check_gate(tx: Transaction, model: str, version: int, override: bool, reason: str) -> None:
    """Raise `NotAllowed` where a version's newest approval request is not approved.

    `override` goes past it, with a reason (`BadInput` without), and the journal keeps that.
    A version that nobody was asked about needs no approval.
    """
    import sqlalchemy as sa

    row = tx.row(sa.text(_NEWEST).bindparams(model=model, version=version))
    if row is None or row["status"] == ApprovalStatus.APPROVED:
        return
    if override:
        if not reason.strip():
            raise BadInput("going past a gate needs a reason", "say why, with --reason")
        tx.journal(
            "gate.override",
            f"model/{model}",
            version=version,
            approval=row["id"],
            gate=row["gate"],
            status=row["status"],
            reason=reason,
        )
        return
    waits = row["status"] == ApprovalStatus.OPEN
    raise NotAllowed(
        f"model {model} version {version} "
        + (f"still waits at gate {row['gate']}" if waits else f"was not approved: {row['status']}"),
        "have it approved, or go past the gate with --override and a reason",
    )
