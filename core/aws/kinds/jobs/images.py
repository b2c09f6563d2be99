"""Which container image trains a built-in algorithm or runs a framework's script.

The SageMaker SDK has the tables; it is asked in a process of its own, since importing it takes
seconds, and what it answered is kept on disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import BadInput, ServiceUnavailable
from core.quiet import QUIET_ENVIRONMENT

SECONDS = 120
ALGORITHMS = (
    "xgboost", "linear-learner", "kmeans", "pca", "knn", "factorization-machines",
    "randomcutforest", "forecasting-deepar", "ntm", "lda", "blazingtext", "object2vec",
    "image-classification", "object-detection", "semantic-segmentation", "seq2seq", "ipinsights",
)  # fmt: skip
"""SageMaker's built-in algorithms, by the SDK's names."""
FRAMEWORKS = ("sklearn", "xgboost", "pytorch", "tensorflow", "mxnet")
"""Images that run one's own script."""
DEFAULT_VERSIONS = {
    "xgboost": "1.7-1",
    "sklearn": "1.2-1",
    "pytorch": "2.3",
    "tensorflow": "2.16",
    "mxnet": "1.9.0",
}
_LOCK = threading.Lock()
_ASK = """
import json, sys
from sagemaker.core import image_uris
asked = json.loads(sys.argv[1])
try:
    print(json.dumps({"image": image_uris.retrieve(**asked)}))
except Exception as error:
    print(json.dumps({"error": " ".join(str(error).split())}))
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image: of an algorithm or framework, for a region and an instance type."""

    framework: str
    region: str
    instance_type: str
    version: str = ""
    py_version: str = ""
    scope: str = "training"

    def key(self) -> str:
        """What it is kept under."""
        return json.dumps(asdict(self), sort_keys=True)


def cache_file() -> Path:
    """Where answers are kept."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "opsdeck" / "images.json"


def image(wanted: Wanted) -> str:
    """The image's address.

    Raises `BadInput` where there is none of this version or region, and `ServiceUnavailable`
    where the SDK is not installed or does not answer.
    """
    with _LOCK:
        kept = _kept()
        if wanted.key() not in kept:
            kept[wanted.key()] = _asked(wanted)
            _keep(kept)
        return kept[wanted.key()]


def _kept() -> dict[str, str]:
    try:
        read = json.loads(cache_file().read_text("utf-8"))
    except (OSError, ValueError):
        return {}  # it is a cache: what can't be read is asked for again
    return {str(k): str(v) for k, v in read.items()} if isinstance(read, dict) else {}


def _keep(kept: dict[str, str]) -> None:
    path = cache_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        fresh.write_text(json.dumps(kept, indent=1), "utf-8")
        fresh.replace(path)
    except OSError:
        return  # a home that can't be written to costs only the next question's time


def _asked(wanted: Wanted) -> str:
    asked = {
        "framework": wanted.framework,
        "region": wanted.region,
        "instance_type": wanted.instance_type,
        "image_scope": wanted.scope,
    }
    version = wanted.version or DEFAULT_VERSIONS.get(wanted.framework, "")
    if version:
        asked["version"] = version
    if wanted.py_version:
        asked["py_version"] = wanted.py_version
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _ASK, json.dumps(asked)],
            capture_output=True,
            timeout=SECONDS,
            env={**os.environ, **QUIET_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceUnavailable(
            f"{wanted.framework}: the SageMaker SDK did not answer: {error}",
            "name the image yourself: train-image image=…",
        ) from error
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    if done.returncode != 0 or not lines:
        raise ServiceUnavailable(
            f"{wanted.framework}: its image is looked up with the SageMaker SDK, which is not here",
            'pip install "opsdeck[aws]", or name the image yourself: train-image image=…',
        )
    answer = json.loads(lines[-1])
    if "image" not in answer:
        raise BadInput(
            f"{wanted.framework} {version}: {answer['error']}"[:400],
            "name another version, or the image itself: train-image image=…",
        )
    return str(answer["image"])
