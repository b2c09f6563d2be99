"""Third-party telemetry is off in every process that we start, before its first import."""

from __future__ import annotations

import os
from pathlib import Path

_SAGEMAKER = "SAGEMAKER_USER_CONFIG_OVERRIDE"

QUIET_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",  # the value 1 is not understood everywhere
    # A person's own settings are theirs.
    _SAGEMAKER: os.environ.get(_SAGEMAKER) or str(Path(__file__).with_name("sagemaker-quiet.yaml")),
}
