"""States as glyph and word: no state is told by colour alone."""

from __future__ import annotations

from typing import NamedTuple


class Sign(NamedTuple):
    """How a state is shown."""

    glyph: str
    word: str
    style: str

    @property
    def text(self) -> str:
        """Glyph and word."""
        return f"{self.glyph} {self.word}"


_SIGNS = {
    # runs and steps
    "pending": Sign("·", "pending", "faint"),
    "queued": Sign("○", "queued", "dim"),
    "running": Sign("▶", "running", "run"),
    "retrying": Sign("↻", "retrying", "warn"),
    "waiting": Sign("◆", "waiting", "wait"),
    "succeeded": Sign("✓", "succeeded", "ok"),
    "cached": Sign("≡", "cached", "ok"),
    "reused": Sign("↺", "reused", "ok"),
    "failed": Sign("✗", "failed", "bad"),
    "rejected": Sign("⊘", "rejected", "bad"),
    "cancelled": Sign("⊗", "cancelled", "dim"),
    "cancelling": Sign("⊗", "cancelling", "warn"),
    "skipped": Sign("↷", "skipped", "faint"),
    # approvals
    "open": Sign("◆", "open", "wait"),
    "approved": Sign("✓", "approved", "ok"),
    "expired": Sign("⊗", "expired", "warn"),
    "void": Sign("⊗", "void", "dim"),
    # endpoints
    "creating": Sign("○", "creating", "run"),
    "in_service": Sign("●", "in service", "ok"),
    "updating": Sign("▶", "updating", "run"),
    "degraded": Sign("▲", "degraded", "warn"),
    "stopped": Sign("■", "stopped", "dim"),
    "stopping": Sign("■", "stopping", "dim"),
    "down": Sign("✗", "down", "bad"),
    "lost": Sign("✗", "lost", "bad"),
    "starting": Sign("○", "starting", "run"),
    "restarting": Sign("↻", "restarting", "warn"),
    "empty": Sign("○", "empty", "dim"),
    "serving": Sign("●", "serving", "ok"),
    # revisions
    "stable": Sign("●", "stable", "ok"),
    "canary": Sign("◐", "canary", "warn"),
    "previous": Sign("○", "previous", "accent"),
    "retired": Sign("·", "retired", "faint"),
    # deployments
    "loading": Sign("▶", "loading", "run"),
    "progressing": Sign("▶", "progressing", "run"),
    "paused": Sign("◆", "paused", "wait"),
    "held": Sign("‖", "held", "warn"),
    "aborted": Sign("⊘", "aborted", "warn"),
    "rolled_back": Sign("↩", "rolled back", "warn"),
    # arms of a release
    "champion": Sign("●", "champion", "ok"),
    "candidate_arm": Sign("◐", "candidate", "warn"),
    "shadow": Sign("◌", "shadow", "accent"),
    # alarms
    "OK": Sign("✓", "OK", "ok"),
    "ALARM": Sign("▲", "ALARM", "bad"),
    "INSUFFICIENT_DATA": Sign("?", "no data", "dim"),
    # alerts
    "acknowledged": Sign("●", "acked", "ok"),
    "resolved": Sign("✓", "resolved", "ok"),
    "silenced": Sign("⊘", "silenced", "faint"),
    "snoozed": Sign("‖", "snoozed", "faint"),
    # verdicts
    "non-inferior": Sign("✓", "non-inferior", "ok"),
    "worse": Sign("✗", "worse", "bad"),
    "undecided": Sign("…", "undecided", "dim"),
    # workers
    "alive": Sign("●", "alive", "ok"),
    "dead": Sign("✗", "dead", "bad"),
}


def sign(state: str) -> Sign:
    """The sign of a state; an unknown one is shown by its name."""
    return _SIGNS.get(str(state)) or Sign("?", str(state), "dim")
