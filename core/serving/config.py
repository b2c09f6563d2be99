"""How an endpoint serves: limits, access, capacity, capture. Kept in `config.json` beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from core.serving.records import Record

FILE = "config.json"


@dataclass(frozen=True, slots=True)
class EndpointConfig(Record):
    """One endpoint's settings; what is not in the file has its default.

    `token_sha256` is the digest of the bearer token, "" for none: the token itself is kept
    nowhere. `max_concurrency`, `max_connections` and `max_body` (bytes) are of each server
    process. `onnx` has scikit-learn models converted at load, used where they are proven to
    answer the same (needs the extra `onnx`; it holds for loads from then on). Servers follow
    the load between `min_servers` and `max_servers`, aiming at `target_in_flight` requests
    being answered at once by each.
    """

    host: str = "127.0.0.1"
    token_sha256: str = ""
    max_body: int = 8 << 20
    max_concurrency: int = 1000
    max_connections: int = 4096
    predict_timeout: float = 30.0  # seconds in the queue and the model, then 504
    read_timeout: float = 10.0  # seconds for a client to send its body, then 408
    min_servers: int = 1
    max_servers: int = 1
    target_in_flight: float = 8.0
    onnx: bool = False
    capture_rate: float = 1.0  # share of the requests, 0-1
    capture_bytes: int = 1 << 30  # on disk; the oldest days go first

    @classmethod
    def read(cls, folder: Path) -> EndpointConfig:
        """The settings in an endpoint's folder; the defaults where there are none."""
        try:
            return cls.from_json(json.loads((folder / FILE).read_text()))
        except FileNotFoundError:
            return cls()

    def write(self, folder: Path) -> None:
        """Put the settings there, whole or not at all, for the owner only. Raises OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = folder / f".{FILE}.tmp"
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps(asdict(self), indent=1))
        temporary.replace(folder / FILE)
