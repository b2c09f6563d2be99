"""What every test has: quiet processes, nobody's identity, fixtures of tests/support."""

from __future__ import annotations

import os

pytest_plugins = ["tests.support.aws", "tests.support.engine", "tests.support.postgres"]

os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
for _name in ("OPSDECK_ACTOR", "NO_COLOR", "MLFLOW_TRACKING_URI"):
    os.environ.pop(_name, None)
