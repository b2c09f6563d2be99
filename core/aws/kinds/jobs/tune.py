"""Starting a tuning job: a search over hyperparameters of a built-in algorithm or an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.aws.kind import Field, Verb
from core.aws.kinds.jobs import asking
from core.aws.kinds.jobs.asking import Values
from core.aws.kinds.jobs.images import ALGORITHMS
from core.aws.kinds.shared import needed, one_of, pairs, whole
from core.aws.words import last_of
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

STRATEGIES = ("Bayesian", "Random", "Hyperband", "Grid")
MOST_NAME = 32
_SCALES = {
    "linear": "Linear",
    "log": "Logarithmic",
    "auto": "Auto",
    "reverse-log": "ReverseLogarithmic",
}


def ranges(values: Values) -> dict[str, Any]:
    """ParameterRanges of `eta=0.01..0.3 log, depth=3..10, booster=gbtree|dart`.

    Both ends whole make a whole number, else a real one. Raises `BadInput`.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for name, text in pairs(values, "ranges").items():
        key, entry = _range(name, text)
        found.setdefault(key, []).append(entry)
    if not found:
        raise BadInput("ranges: must be given", "ranges=eta=0.01..0.3 log, depth=3..10, a=b|c")
    return found


def _range(name: str, text: str) -> tuple[str, dict[str, Any]]:
    if ".." not in text:
        choices = [each.strip() for each in text.split("|") if each.strip()]
        if not choices:
            raise BadInput(f"ranges: {name}={text}: must be LOW..HIGH or A|B")
        return "CategoricalParameterRanges", {"Name": name, "Values": choices}
    ends, _, scale = text.partition(" ")
    low, _, high = (part.strip() for part in ends.partition(".."))
    if scale.strip() and scale.strip() not in _SCALES:
        raise BadInput(f"ranges: {name}: {scale.strip()} is no scale", ", ".join(_SCALES))
    try:
        good = float(low) < float(high)
    except ValueError as error:
        raise BadInput(f"ranges: {name}={text}: must be LOW..HIGH, numbers") from error
    if not good:
        raise BadInput(f"ranges: {name}={text}: the first must be the smaller one")
    entry = {"Name": name, "MinValue": low, "MaxValue": high}
    entry["ScalingType"] = _SCALES[scale.strip() or "auto"]
    whole_ends = all(end.lstrip("-").isdecimal() for end in (low, high))
    return ("Integer" if whole_ends else "Continuous") + "ParameterRanges", entry


def request(account: Account, values: Values) -> dict[str, Any]:
    """CreateHyperParameterTuningJob's request; raises `BadInput`."""
    strategy = one_of(values, "strategy", STRATEGIES, "Bayesian")
    own = values.get("image", "").strip()
    image = own or asking.built_in(account, values)
    objective = {
        "Type": one_of(values, "goal", ("Minimize", "Maximize"), "Minimize"),
        "MetricName": needed(values, "metric"),
    }
    limits: dict[str, int] = {"MaxParallelTrainingJobs": whole(values, "at_once", 2)}
    if strategy != "Grid":  # which tries every combination
        limits["MaxNumberOfTrainingJobs"] = whole(values, "jobs", 20)
    config: dict[str, Any] = {
        "Strategy": strategy,
        "HyperParameterTuningJobObjective": objective,
        "ResourceLimits": limits,
        "ParameterRanges": ranges(values),
        "TrainingJobEarlyStoppingType": "Off" if strategy == "Hyperband" else "Auto",
    }
    _hyperband(values, strategy, config)
    _grid(strategy, config)
    static = pairs(values, "hyperparameters")
    metrics = asking.algorithm(image, values)
    if own and "MetricDefinitions" not in metrics:
        raise BadInput(
            "metrics: must be given with an image", f"metrics={objective['MetricName']}=…"
        )
    return {
        "HyperParameterTuningJobName": asking.named(values, _what(values, own), MOST_NAME),
        "HyperParameterTuningJobConfig": config,
        "TrainingJobDefinition": {
            "AlgorithmSpecification": metrics,
            **({"StaticHyperParameters": static} if static else {}),
            **asking.running(values),
        },
    }


def _what(values: Values, own: str) -> str:
    return f"{last_of(own).partition(':')[0] if own else values.get('algorithm', '')}"[:14]


def _hyperband(values: Values, strategy: str, config: dict[str, Any]) -> None:
    least, most = (values.get(name, "").strip() for name in ("min_resource", "max_resource"))
    if strategy != "Hyperband":
        if least or most:
            raise BadInput("min_resource and max_resource: are of the strategy Hyperband")
        return
    bounds = {
        "MinResource": whole(values, "min_resource", 1),
        "MaxResource": whole(values, "max_resource", 27),
    }
    if bounds["MinResource"] >= bounds["MaxResource"]:
        raise BadInput("min_resource: must be smaller than max_resource")
    config["StrategyConfig"] = {"HyperbandStrategyConfig": bounds}


def _grid(strategy: str, config: Mapping[str, Any]) -> None:
    if strategy == "Grid" and set(config["ParameterRanges"]) != {"CategoricalParameterRanges"}:
        raise BadInput("ranges: Grid tries choices only", "ranges=eta=0.1|0.2|0.3")


def _tune(account: Account, _id: str, values: Values) -> str:
    asked = request(account, values)
    account.call("sagemaker", "create_hyper_parameter_tuning_job", **asked)
    return f"{asked['HyperParameterTuningJobName']}: tuning has started"


def _consequence(account: Account, _id: str, values: Values) -> tuple[str, ...]:
    asked = request(account, values)
    config = asked["HyperParameterTuningJobConfig"]
    objective, limits = config["HyperParameterTuningJobObjective"], config["ResourceLimits"]
    jobs = limits.get("MaxNumberOfTrainingJobs") or _combinations(config["ParameterRanges"])
    verb = "lowest" if objective["Type"] == "Minimize" else "highest"
    return (
        f"searches for the {verb} {objective['MetricName']} by {config['Strategy']}: "
        f"{jobs} training jobs, {limits['MaxParallelTrainingJobs']} at once",
        *asking.warned(account, asked["TrainingJobDefinition"], jobs),
    )


def _combinations(found: Mapping[str, Any]) -> int:
    total = 1
    for each in found["CategoricalParameterRanges"]:
        total *= len(each["Values"])
    return total


TUNE = Verb(
    name="tune",
    key="n",
    label="Tune",
    help="search for hyperparameters",
    operations=("sagemaker:CreateHyperParameterTuningJob", "iam:PassRole"),
    do=_tune,
    consequence=_consequence,
    fields=(
        Field("algorithm", "algorithm", default="xgboost", choices=ALGORITHMS),
        Field("version", "version"),
        Field("image", "image, instead of the algorithm"),
        Field("metric", "metric (validation:rmse)", required=True),
        Field("goal", "goal", default="Minimize", choices=("Minimize", "Maximize")),
        Field("ranges", "ranges: eta=0.01..0.3 log, depth=3..10, a=b|c", required=True),
        Field("strategy", "strategy", default="Bayesian", choices=STRATEGIES),
        Field("jobs", "training jobs", default="20"),
        Field("at_once", "at once", default="2"),
        Field("min_resource", "Hyperband: least epochs of a job"),
        Field("max_resource", "Hyperband: most epochs of a job"),
        asking.NAME,
        asking.HYPERPARAMETERS,
        asking.METRICS,
        *asking.RUNNING,
    ),
)
