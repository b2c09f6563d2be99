"""The process that sends one message: `python -m core.alerting.sendchild`.

What to send comes as JSON on standard input (never as an argument, which others could see), what
became of it goes as JSON to standard output. It is a process of its own so that an address that
hangs can be cut off.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

_TYPES = {"critical": "failure", "warning": "warning", "info": "info"}


class _Kept(logging.Handler):
    """Remembers what the library says went wrong."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.said.append(record.getMessage())


def send(asked: dict[str, Any]) -> dict[str, Any]:
    """Send it; says whether the address took it, and what was said where it did not."""
    import apprise

    kept = _Kept()
    logger = logging.getLogger("apprise")
    logger.addHandler(kept)
    logger.propagate = False
    asset = apprise.AppriseAsset(app_id="Opsdeck", app_desc="Opsdeck", app_url="")
    sender = apprise.Apprise(asset=asset)
    if not sender.add(asked["url"]):
        return {"sent": False, "error": "no address that Apprise knows: check its form"}
    kind = "success" if asked["over"] else _TYPES[asked["severity"]]
    sent = sender.notify(title=asked["title"], body=asked["body"], notify_type=kind)
    return {"sent": bool(sent), "error": "" if sent else " ".join(kept.said)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(send(json.load(sys.stdin))))
