"""Where a run happens: bucket, roles and images of an account, and what is taken there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from core.aws.account import Account
from core.aws.compile import Target, target_of
from core.aws.compile.nodes import Lowered, Question, Registration
from core.aws.compile.target import QUEUE, ROLE
from core.aws.errors import ResourceNotFound
from core.aws.running.errors import NotSettled
from core.aws.running.images import images_of
from core.aws.running.package import Package
from core.domain.pipeline import PipelineSpec
from core.session import Session
from core.workspace import Workspace

QUEUE_NAME = "opsdeck-approvals"
_KEEP_MESSAGES = 14 * 86_400


@dataclass(frozen=True, slots=True)
class Place:
    """An account's part in a run. `service_role` is of the pipeline or state machine."""

    account: Account
    target: Target
    service_role: str
    kms_key: str


def check_settled(spec: PipelineSpec) -> None:
    """Raise `NotSettled` where nobody says which role the jobs have."""
    if not spec.sagemaker.get("role"):
        raise NotSettled(
            f"pipeline {spec.name}: no role for its jobs is named",
            "sagemaker: {role: arn:aws:iam::ACCOUNT:role/NAME} in its file",
        )


def place_of(account: Account, spec: PipelineSpec, workspace: Workspace) -> Place:
    """The place, as the file says it and the account has it; raises `NotSettled`, `NoImage`."""
    check_settled(spec)
    given = spec.sagemaker
    bucket = str(given.get("bucket") or f"sagemaker-{account.region}-{account.account_id}")
    try:
        account.call("s3", "head_bucket", Bucket=bucket)
    except ResourceNotFound:
        raise NotSettled(
            f"pipeline {spec.name}: the bucket {bucket} is not there",
            "make it, or name another one: sagemaker: {bucket: …}",
        ) from None
    tracking = str(given.get("tracking", ""))
    if not tracking and not workspace.tracking_uri.startswith("sqlite"):
        tracking = workspace.tracking_uri
    work, serving = str(given.get("image", "")), str(given.get("serving_image", ""))
    if not (work and serving):
        images = images_of(account.region)
        work, serving = work or images.work, serving or images.serving
    target = target_of(
        spec, bucket=bucket, work_image=work, serving_image=serving, tracking=tracking
    )
    assert target.role != ROLE  # settled above
    role = str(given.get("service_role", target.role))
    return Place(account, target, role, str(given.get("kms_key", "")))


def with_queue(place: Place, lowered: Lowered) -> str:
    """The address of the queue that gates ask by, made where none is named; "" without gates."""
    if not any(isinstance(node, Question) for node in lowered.nodes):
        return ""
    if place.target.queue != QUEUE:
        return place.target.queue
    made = place.account.call(
        "sqs",
        "create_queue",
        QueueName=QUEUE_NAME,
        Attributes={
            "SqsManagedSseEnabled": "true",
            "MessageRetentionPeriod": str(_KEEP_MESSAGES),
        },
    )
    return str(made["QueueUrl"])


def with_groups(place: Place, lowered: Lowered) -> None:
    """Make the model package groups that the pipeline registers in."""
    call = place.account.call
    for node in lowered.nodes:
        if isinstance(node, Registration):
            name = node.group
            try:
                call("sagemaker", "describe_model_package_group", ModelPackageGroupName=name)
            except ResourceNotFound:
                call("sagemaker", "create_model_package_group", ModelPackageGroupName=name)


def take_source(place: Place, package: Package) -> str:
    """Put the source into the bucket; returns its folder."""
    folder = f"{place.target.prefix}/source/{package.digest[:32]}"
    for name, data in package.files.items():
        _put(place, f"{folder}/{name}", data)
    return f"s3://{place.target.bucket}/{folder}"


def take_rows(
    place: Place, session: Session, purpose: str, wanted: Mapping[str, tuple[str, str]]
) -> dict[str, str]:
    """Put snapshots of datasets into the bucket, as `session`'s actor may see them: key to
    (dataset, snapshot id); returns key to folder."""
    from core.governance.access import open_access

    access = open_access(session)
    found: dict[str, str] = {}
    for key, (dataset, snapshot) in wanted.items():
        with TemporaryDirectory(prefix="opsdeck-rows-") as folder:
            file = Path(folder) / "rows.parquet"
            _write(file, access.scan(dataset, at=snapshot, purpose=purpose))
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            # What somebody may see depends on who they are: the place goes by the content.
            into = f"{place.target.prefix}/datasets/{dataset}/{digest[:32]}"
            _put(place, f"{into}/{file.name}", file)
        found[key] = f"s3://{place.target.bucket}/{into}"
    return found


def _write(file: Path, reader: object) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    assert isinstance(reader, pa.RecordBatchReader)
    with pq.ParquetWriter(file, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def _put(place: Place, key: str, data: bytes | Path) -> None:
    """Put an object whose key says its content; one that is there already stays."""
    bucket = place.target.bucket
    try:
        place.account.call("s3", "head_object", Bucket=bucket, Key=key)
        return
    except ResourceNotFound:
        pass
    more: dict[str, str] = {}
    if place.kms_key:
        more = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": place.kms_key}
    if isinstance(data, bytes):
        place.account.call("s3", "put_object", Bucket=bucket, Key=key, Body=data, **more)
        return
    with data.open("rb") as body:
        place.account.call("s3", "put_object", Bucket=bucket, Key=key, Body=body, **more)
