"""OpenAPI document."""

from __future__ import annotations

from typing import Any

from core.serving.service import Service


def document(service: Service) -> dict[str, Any]:
    """The document."""
    return {"openapi": "3.1.0", "info": {"title": service.name, "version": "1"}, "paths": {}}
