"""When two step runs are equal: same code, same inputs, same parameters, same environment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from core.domain.pipeline import StepSpec

FORMAT = 1
"""Raised when what a step is given, or how its outputs are stored, changes meaning."""


def cache_key(
    step: StepSpec,
    code: str,
    inputs: Mapping[str, Mapping[str, Any]],
    env: Mapping[str, str],
    environment: str,
) -> str:
    """SHA-256 (hex) over what a step run depends on.

    `code` is its fingerprint, `inputs` the digest or the value of each input, `env` the
    variables that the pipeline sets, `environment` the hash of the installed packages.
    """
    text = json.dumps(
        [
            FORMAT,
            step.kind,
            step.target,
            list(step.outputs),
            step.python,
            code,
            {name: inputs[name] for name in sorted(inputs)},
            dict(sorted(env.items())),
            environment,
        ],
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(text.encode()).hexdigest()
