"""The journal: what a hash-chained entry is and how its hash is made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GENESIS = "0" * 64
"""What the first entry names as the hash before it."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One thing that somebody or something did. `at` is epoch seconds (UTC)."""

    seq: int
    at: float
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    previous_hash: str
    hash: str


def entry_hash(
    seq: int, at: float, actor: str, action: str, subject: str, detail: str, previous_hash: str
) -> str:
    """SHA-256 (hex) over all fields of an entry, `detail` as the JSON text stored."""
    text = json.dumps(
        [seq, repr(at), actor, action, subject, detail, previous_hash],
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What verifying the journal found; `broken_seq` is the first entry that fails."""

    ok: bool
    entries: int
    head: str
    broken_seq: int | None = None
    reason: str = ""
