"""How an endpoint is set to serve, as text: who may call, bounds, limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.release_text import workers_words
from core.domain.release import lasting
from screens.words import size

if TYPE_CHECKING:
    from core.serving.config import EndpointConfig


def settings_facts(config: EndpointConfig) -> list[tuple[str, str]]:
    """The settings that an operator asks for, by name."""
    servers = workers_words((config.min_servers, config.max_servers))
    workers = workers_words((config.min_workers, config.max_workers))
    own = ", ".join(
        f"r{each.revision} {workers_words((each.min_workers, each.max_workers))}"
        for each in config.variants
    )
    return [
        ("token", "asked for" if config.token_sha256 else "none asked for"),
        ("servers", servers),
        ("workers", f"{workers} a variant" + f" ({own})" * bool(own)),
        ("schedule", _schedule(config)),
        (
            "limits",
            f"body {size(config.max_body)}, {config.max_concurrency:,} at once and"
            f" {config.max_connections:,} connections a server, predict"
            f" {lasting(config.predict_timeout)}, read {lasting(config.read_timeout)}",
        ),
        ("models", "converted to ONNX where proven equal" if config.onnx else ""),
    ]


def _schedule(config: EndpointConfig) -> str:
    """Its windows, and which of them is open now; "" for none."""
    now = config.open_window()
    windows = [row.window + " (open)" * (row is now) for row in config.schedule]
    return "; ".join(windows)
