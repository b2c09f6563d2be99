"""Starting a training job: a built-in algorithm, one's own script, or one's own image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from core.aws.kind import Field, Verb
from core.aws.kinds.jobs import asking
from core.aws.kinds.jobs.asking import Values
from core.aws.kinds.jobs.images import ALGORITHMS, FRAMEWORKS
from core.aws.kinds.jobs.sources import pack, upload
from core.aws.kinds.shared import needed, pairs
from core.aws.words import last_of, size

if TYPE_CHECKING:
    from core.aws.account import Account


def _request(account: Account, values: Values, image: str, what: str) -> dict[str, Any]:
    hyperparameters = pairs(values, "hyperparameters")
    return {
        "TrainingJobName": asking.named(values, what),
        "AlgorithmSpecification": asking.algorithm(image, values),
        **({"HyperParameters": hyperparameters} if hyperparameters else {}),
        **asking.running(values),
    }


def _create(account: Account, request: Mapping[str, Any]) -> str:
    account.call("sagemaker", "create_training_job", **request)
    return f"{request['TrainingJobName']}: training has started"


def _of_algorithm(account: Account, values: Values) -> dict[str, Any]:
    image = asking.built_in(account, values)
    return _request(account, values, image, needed(values, "algorithm"))


def _of_image(account: Account, values: Values) -> dict[str, Any]:
    image = needed(values, "image")
    return _request(account, values, image, last_of(image).partition(":")[0])


def _of_script(account: Account, values: Values) -> dict[str, Any]:
    """A request without the address of its source, which is known once that is uploaded."""
    given = values.get("image", "").strip()
    image = given or asking.of_framework(account, values)
    script = needed(values, "script")
    request = _request(account, values, image, script.rpartition("/")[2].removesuffix(".py"))
    request["HyperParameters"] = asking.as_json(request.get("HyperParameters", {}))
    return request


def _train(account: Account, _id: str, values: Values) -> str:
    return _create(account, _of_algorithm(account, values))


def _train_image(account: Account, _id: str, values: Values) -> str:
    return _create(account, _of_image(account, values))


def _train_script(account: Account, _id: str, values: Values) -> str:
    request = _of_script(account, values)
    packed = pack(needed(values, "script"), values.get("source", "").strip())
    place = upload(account, packed, request["OutputDataConfig"]["S3OutputPath"])
    request["HyperParameters"] |= asking.as_json(
        {
            "sagemaker_program": packed.program,
            "sagemaker_submit_directory": place,
            "sagemaker_job_name": request["TrainingJobName"],
            "sagemaker_region": account.region,
            "sagemaker_container_log_level": "20",
        }
    )
    return _create(account, request)


def _told(
    request_of: Callable[[Account, Values], dict[str, Any]],
) -> Callable[[Account, str, Values], tuple[str, ...]]:
    def consequence(account: Account, _id: str, values: Values) -> tuple[str, ...]:
        request = request_of(account, values)
        image = request["AlgorithmSpecification"]["TrainingImage"]
        source: tuple[str, ...] = ()
        if "script" in values:
            packed = pack(needed(values, "script"), values.get("source", "").strip())
            many = "1 file" if packed.files == 1 else f"{packed.files} files"
            source = (f"uploads {many} ({size(len(packed.data))}), starts {packed.program}",)
        return (
            f"trains {request['TrainingJobName']} in {image}",
            *source,
            *asking.warned(account, request),
        )

    return consequence


_WRITES = ("sagemaker:CreateTrainingJob", "iam:PassRole")

TRAIN = Verb(
    name="train",
    key="n",
    label="Train an algorithm",
    help="train one of SageMaker's algorithms",
    operations=_WRITES,
    do=_train,
    consequence=_told(_of_algorithm),
    fields=(
        Field("algorithm", "algorithm", default="xgboost", required=True, choices=ALGORITHMS),
        Field("version", "version"),
        asking.NAME,
        asking.HYPERPARAMETERS,
        *asking.RUNNING,
    ),
)
TRAIN_SCRIPT = Verb(
    name="train-script",
    key="n",
    label="Train own script",
    help="train by a script; its folder is uploaded",
    operations=(*_WRITES, "s3:PutObject"),
    do=_train_script,
    consequence=_told(_of_script),
    fields=(
        Field("script", "script, in the folder", required=True),
        Field("source", "folder, uploaded without hidden files"),
        Field("framework", "framework", default="sklearn", required=True, choices=FRAMEWORKS),
        Field("version", "version"),
        Field("py_version", "Python (py311)"),
        asking.NAME,
        asking.HYPERPARAMETERS,
        asking.METRICS,
        *asking.RUNNING,
    ),
)
TRAIN_IMAGE = Verb(
    name="train-image",
    key="n",
    label="Train own image",
    help="train in a container image",
    operations=_WRITES,
    do=_train_image,
    consequence=_told(_of_image),
    fields=(
        Field("image", "address of the image", required=True),
        asking.NAME,
        asking.HYPERPARAMETERS,
        asking.METRICS,
        *asking.RUNNING,
    ),
)
