"""Managed MLflow of SageMaker, named by its ARN: MLflow's REST API with signed requests.

A tracking server answers at https://REGION.experiments.sagemaker.aws, a serverless app at
https://mlflow.sagemaker.REGION.app.aws; which one is meant says a header. The package
sagemaker-mlflow does the same for MLflow's own client, which steps use; this is for what only
reads, and imports no MLflow. Both heed `SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT`.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from dataclasses import dataclass
from typing import Any

from core.errors import BadInput, TrackingUnavailable
from core.tracking._http import HttpClient

_ARN = re.compile(
    r"arn:(?P<partition>aws[\w-]*):sagemaker:(?P<region>[a-z0-9-]+):\d{12}"
    r":(?P<kind>mlflow-tracking-server|mlflow-app)/(?P<name>\S+)"
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one kind of managed MLflow is reached: host, header, and the service signed for."""

    host: str
    header: str
    service: str


_KINDS = {
    "mlflow-tracking-server": _Kind(
        "https://{region}.experiments.sagemaker.aws",
        "x-mlflow-sm-tracking-server-arn",
        "sagemaker-mlflow",
    ),
    "mlflow-app": _Kind(
        "https://mlflow.sagemaker.{region}.app.aws", "x-sm-mlflow-app-arn", "sagemaker"
    ),
}


class SignedHttp(HttpClient):
    """Requests signed by the person's ordinary AWS credentials. Thread-safe.

    Raises `BadInput` for an ARN of something else, `TrackingUnavailable` where boto3 or the
    credentials are missing.
    """

    def __init__(self, arn: str) -> None:
        found = _ARN.fullmatch(arn)
        if found is None:
            raise BadInput(
                f"tracking URI: {arn} is no managed MLflow",
                "opsdeck aws list mlflow shows the ARNs of tracking servers and serverless apps",
            )
        kind = _KINDS[found["kind"]]
        custom = os.environ.get("SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT", "")
        host = custom or kind.host.format(region=found["region"])
        super().__init__(host)
        # A password or token of another server is nothing for this one.
        self._headers.pop("Authorization", None)
        self._headers[kind.header] = arn
        self._root = host.rstrip("/")
        self._service, self._region = kind.service, found["region"]
        self._signing = threading.Lock()
        self._credentials: Any = None

    def _signed(
        self, method: str, target: str, payload: bytes | None, headers: dict[str, str]
    ) -> dict[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError

        digest = hashlib.sha256(payload or b"").hexdigest()
        asked = {**headers, "X-Amz-Content-SHA256": digest}
        path = target.removeprefix(self._prefix)
        request = AWSRequest(method, self._root + path, headers=asked, data=payload)
        try:
            SigV4Auth(self._keys(), self._service, self._region).add_auth(request)
        except BotoCoreError as error:
            raise TrackingUnavailable(
                f"managed MLflow: {' '.join(str(error).split())}", "sign in again: aws sso login"
            ) from error
        return dict(request.headers.items())

    def _keys(self) -> Any:
        """The credentials, which renew themselves."""
        with self._signing:
            if self._credentials is None:
                self._credentials = _credentials()
            return self._credentials


def _credentials() -> Any:
    try:
        import boto3
    except ImportError as error:
        raise TrackingUnavailable(
            "managed MLflow needs boto3, which is not installed",
            'install it: pip install "opsdeck[aws]"',
        ) from error
    from botocore.exceptions import BotoCoreError

    try:
        found = boto3.Session().get_credentials()
    except BotoCoreError as error:
        raise TrackingUnavailable(f"managed MLflow: {error}") from error
    if found is None:
        raise TrackingUnavailable(
            "managed MLflow: no AWS credentials were found", "sign in: aws sso login"
        )
    return found
