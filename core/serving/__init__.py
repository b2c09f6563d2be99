"""Serving: a local HTTP endpoint for model versions, its supervisor and their control."""

from core.serving.control import EndpointControl
from core.serving.records import (
    CaptureStatus,
    EndpointInfo,
    EndpointState,
    EndpointStats,
    EndpointStatus,
    Flavour,
    InvokeReply,
    LoadReport,
    Parity,
    RevisionStats,
    RollbackReport,
    SwapReport,
    Variant,
)

__all__ = [
    "CaptureStatus",
    "EndpointControl",
    "EndpointInfo",
    "EndpointState",
    "EndpointStats",
    "EndpointStatus",
    "Flavour",
    "InvokeReply",
    "LoadReport",
    "Parity",
    "RevisionStats",
    "RollbackReport",
    "SwapReport",
    "Variant",
]
