"""Container images of a region, as the SageMaker SDK names them.

The SDK takes seconds to import, so it is asked in a process of its own, once for a region and
version: what it said is kept in the person's cache folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from core.aws.compile.errors import NoImage
from core.quiet import QUIET_ENVIRONMENT

FRAMEWORK = "sklearn"
SECONDS = 120.0
_ASK = """
import json, sys
from sagemaker.core import image_uris
def uri(scope):
    return image_uris.retrieve(sys.argv[1], sys.argv[2], image_scope=scope,
                               instance_type="ml.m5.large")
sys.stdout.write("\\n" + json.dumps({"work": uri("training"), "serving": uri("inference")}))
"""


@dataclass(frozen=True, slots=True)
class Images:
    """Of the jobs, and of what serves a model."""

    work: str
    serving: str


def images_of(region: str) -> Images:
    """scikit-learn's newest images in a region; raises `NoImage`."""
    try:
        release = version("sagemaker")
    except PackageNotFoundError:
        raise NoImage(
            f"the images of {region} are not known: sagemaker is not installed",
            'pip install "opsdeck[aws]", or name one: sagemaker: {image: …, serving_image: …}',
        ) from None
    cache = cache_file()
    key = f"{release} {FRAMEWORK} {region}"
    known = _read(cache)
    if key not in known:
        known[key] = _asked(region)
        _write(cache, known)
    return Images(**known[key])


def cache_file() -> Path:
    """Where answers are kept: `$XDG_CACHE_HOME/opsdeck/images.json`."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "opsdeck" / "images.json"


def _asked(region: str) -> dict[str, str]:
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _ASK, FRAMEWORK, region],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env={**os.environ, **QUIET_ENVIRONMENT},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoImage(f"the images of {region}: the SDK did not answer: {error}") from error
    try:
        found: dict[str, str] = json.loads(done.stdout.rsplit("\n", 1)[-1])
    except ValueError:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:200]
        raise NoImage(
            f"the images of {region} are not known: {said}",
            "name one: sagemaker: {image: …, serving_image: …}",
        ) from None
    return {"work": found["work"], "serving": found["serving"]}


def _read(cache: Path) -> dict[str, dict[str, str]]:
    try:
        found = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or half written by another: it is asked again
        return {}
    return found if isinstance(found, dict) else {}


def _write(cache: Path, known: dict[str, dict[str, str]]) -> None:
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        fresh = cache.with_name(f"{cache.name}.{os.getpid()}")
        fresh.write_text(json.dumps(known, indent=1), encoding="utf-8")
        fresh.replace(cache)
    except OSError:  # a home that cannot be written: it is asked again the next time
        return
