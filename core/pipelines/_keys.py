"""Every key that a pipeline file may hold, once: the reader and the JSON Schema share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Form = Literal[
    "text",  # a line of text
    "name",  # a word: letters, digits, `_`, `-`, `.`
    "reference",  # `step.output`
    "references",  # a list of `step.output` or `step`
    "whole",  # an integer within `least` and `most`
    "flag",  # true or false
    "duration",  # 90, 500ms, 10m, 1h30m → seconds
    "memory",  # 2GiB → MiB
    "names",  # one name or a list of them
    "env",  # a mapping of environment variables
    "scalar",  # text, number or flag
    "scalars",  # a list of those
    "percent",  # 0 to 100, with or without the sign
    "workers",  # {min: 1, max: 4}, 1:4 or 2 → bounds
    "any",  # a number, or text that stands for one
    "node",  # read by somebody who knows its shape
]


@dataclass(frozen=True, slots=True)
class Key:
    """One key: the form of its value, what it is for, and limits of an integer."""

    form: Form
    doc: str
    least: int = 0
    most: int = 1_000_000


NAME = r"[A-Za-z][A-Za-z0-9_.-]{0,99}"
STEP_NAME = r"[A-Za-z][A-Za-z0-9_-]{0,62}"
IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]{0,99}"
PARAM_TYPES = ("str", "int", "float", "bool")
WORK_KINDS = ("function", "script", "notebook")
DATA_VERBS = (
    "ingest", "refresh", "query", "validate", "transform", "split", "features", "store",
    "bias", "explain",
)  # fmt: skip
"""Steps that need no code: what they do stands in the file."""

BUILT_IN_KINDS = ("register", "gate", "deploy")
KINDS = (*WORK_KINDS, "tune", *DATA_VERBS, *BUILT_IN_KINDS)

TOP: Mapping[str, Key] = {
    "name": Key("name", "The pipeline's name; the file's name without its ending by default."),
    "description": Key("text", "What the pipeline is for, in a sentence."),
    "params": Key("node", "Parameters of a run: `name: default`, or a mapping with its type."),
    "defaults": Key("node", "Settings for every step that doesn't give its own."),
    "env": Key("env", "Environment variables of every step."),
    "sagemaker": Key("node", "How the pipeline runs on SageMaker and Step Functions."),
    "steps": Key("node", "The steps: a mapping of the step's name to what it is."),
}

PARAM: Mapping[str, Key] = {
    "type": Key("text", "str, int, float or bool; that of the default when left out."),
    "default": Key("scalar", "The value when none is given; without it one must be given."),
    "required": Key("flag", "Whether a value must be given; true when there is no default."),
    "pattern": Key("text", "A regular expression that the whole of a text must match."),
    "choices": Key("scalars", "The only values allowed."),
    "description": Key("text", "What the parameter is for."),
}

DEFAULTS: Mapping[str, Key] = {
    "retries": Key("whole", "How often a failed step is tried again.", most=100),
    "backoff": Key("duration", "Pause before the first retry; doubles with each."),
    "timeout": Key("duration", "Time limit of one attempt; its processes are then ended."),
    "cache": Key("flag", "Reuse the outputs of an equal earlier step run (code, inputs, params)."),
    "memory": Key("memory", "Memory limit of the step's processes, such as 2GiB."),
    "python": Key("text", "Interpreter to run the step with: a path, such as .venv/bin/python."),
}


WORK: Mapping[str, Key] = {
    "inputs": Key(
        "node",
        "Input name to `step.output`, `dataset:NAME@VERSION`, `${params.name}` or a literal.",
    ),
    "outputs": Key("names", "Names of what it puts out; a function's is its own name by default."),
    "after": Key("names", "Steps that must have ended well before this one starts."),
    "retries": DEFAULTS["retries"],
    "backoff": DEFAULTS["backoff"],
    "timeout": DEFAULTS["timeout"],
    "cache": DEFAULTS["cache"],
    "memory": DEFAULTS["memory"],
    "python": DEFAULTS["python"],
    "env": Key("env", "Environment variables of this step."),
    "sagemaker": Key("node", "How the step runs on SageMaker and Step Functions."),
}

SAGEMAKER: Mapping[str, Key] = {
    "image": Key("text", "Container image of its job; scikit-learn's of the region by default."),
    "instance_type": Key("text", "Of its job: ml.m5.large, or what its `memory` needs."),
    "instance_count": Key("whole", "Instances of its job; 1 by default.", least=1, most=100),
    "volume_gb": Key("whole", "Disk of each instance, in GB; 30 by default.", least=1, most=16_384),
    "spot": Key("flag", "Train on spot instances."),
    "max_wait": Key("duration", "How long a spot job may take with waiting; twice its timeout."),
    "cache": Key("duration", "How long an equal step's outputs are reused; 30d by default."),
    "role": Key("text", "ARN of the role that its jobs have."),
    "kms_key": Key("text", "Key that encrypts what it writes: an ARN, an id or an alias."),
    "subnets": Key("names", "Subnets of its instances."),
    "security_groups": Key("names", "Security groups of its instances."),
    "serving_image": Key("text", "Image that serves the model; scikit-learn's by default."),
    "serving_instance_type": Key("text", "Of the endpoint; ml.m5.large by default."),
    "serving_instance_count": Key("whole", "Of the endpoint; 1.", least=1, most=100),
    "alarms": Key("names", "CloudWatch alarms that roll a deployment back."),
    "strategy": Key("node", "The strategy there, where its own can't be said in their words."),
}
"""How steps run in an AWS account; a step's own go before the pipeline's."""

SAGEMAKER_TOP: Mapping[str, Key] = {
    **SAGEMAKER,
    "name": Key("text", "Name of the pipeline or state machine there; its own by default."),
    "service_role": Key("text", "ARN of the role that starts the jobs; theirs by default."),
    "bucket": Key("text", "S3 bucket for its source, data and outputs; SageMaker's default one."),
    "prefix": Key("text", "Folder in the bucket; opsdeck by default."),
    "approvals_queue": Key("text", "URL of the SQS queue that gates ask by."),
    "tracking": Key("text", "MLflow there: an address, or the ARN of a tracking server or app."),
    "requirements": Key("text", "File of requirements for the containers; requirements.txt."),
}
"""Those of a whole pipeline."""

STEP: Mapping[str, Key] = {
    "function": Key("text", "`module:function`, in a module found under the workspace."),
    "script": Key("text", "Path of a Python script; it gets the SageMaker script-mode contract."),
    "notebook": Key("text", "Path of a Jupyter notebook."),
    "tune": Key("node", "Search for the hyperparameters of a function or script, trial by trial."),
    "ingest": Key("node", "Take new files or rows into a dataset."),
    "refresh": Key("node", "Bring materialised views up to their sources."),
    "query": Key("node", "Rows by an SQL query over datasets and other steps' outputs."),
    "validate": Key("node", "Check a dataset or frame; what depends on it waits for that."),
    "transform": Key("node", "Apply a recipe, fitted on the training part."),
    "split": Key("node", "Split rows into parts, and look for leaks."),
    "features": Key("node", "Join features to entities, as they were known at the time."),
    "store": Key("node", "Write a frame into a dataset."),
    "bias": Key("node", "Hold a model's treatment of groups of people against each other."),
    "explain": Key("node", "Show which features a model goes by, for who reviews it."),
    "register": Key("node", "Register a model version."),
    "gate": Key("node", "Ask for approval of the registered model version."),
    "deploy": Key("node", "Bring the registered model version to an endpoint."),
    **WORK,
}

TUNE: Mapping[str, Key] = {
    "function": Key("text", "What a trial executes: `module:function`."),
    "script": Key("text", "Or the path of a script."),
    "metric": Key("node", "What a trial is judged by, and which way."),
    "strategy": Key("text", "bayesian (default) or random."),
    "max_trials": Key("node", "How many trials; 20 by default."),
    "max_parallel": Key("node", "How many at once; 1 by default."),
    "max_failed": Key("node", "With more failed trials the step fails; 5 by default."),
    "early_stopping": Key("text", "median: end trials that are worse than half; off by default."),
    "ranges": Key("node", "Hyperparameter to its range, or to a list of choices."),
    "seed": Key("node", "Of the proposals; made of the parameter `seed` by default."),
    "warm_start": Key("text", "A run whose trials count as known: run/12, or last."),
}

METRIC_OF_TRIALS: Mapping[str, Key] = {
    "name": Key("text", "A metric that the trial logs to MLflow."),
    "goal": Key("text", "minimize or maximize."),
    "output": Key("name", "Or an output of the trial: a number, or a mapping with this metric."),
}

RANGE: Mapping[str, Key] = {
    "min": Key("node", "The least value."),
    "max": Key("node", "The greatest value."),
    "type": Key("text", "int or float."),
    "scale": Key("text", "linear (default) or log."),
    "step": Key("node", "Only min, min + step, …"),
}

REGISTER: Mapping[str, Key] = {
    "model": Key("reference", "The fitted model: `step.output`."),
    "name": Key("name", "Name of the registered model; the pipeline's name by default."),
    "metrics": Key("reference", "The metrics to keep with the version: `step.output`."),
    "training": Key(
        "reference", "The rows that it learned from: `step.output`; what monitors compare with."
    ),
    "evaluation": Key(
        "reference", "Rows that it did not see, with their labels: `step.output`; for monitors."
    ),
    "target": Key("text", "The column of those rows that holds what is to be predicted."),
    "prediction": Key("text", "The column of the evaluation rows that holds predictions, if any."),
    "description": Key("text", "Description of the version."),
}

GATE: Mapping[str, Key] = {
    "environment": Key("name", "Where the version wants to go; production by default."),
    "approvals": Key("whole", "How many people must approve; 1 by default.", least=1, most=20),
    "requester_may_decide": Key("flag", "Whether who started the run may decide; true by default."),
    "expires": Key("duration", "When an unanswered request lapses; never by default."),
    "evidence": Key("references", "What the reviewer sees: a list of `step.output` or `step`."),
    "register": Key("name", "The register step whose version is gated, where there are several."),
    "auto": Key("node", "When a version that is clearly better goes by itself."),
}

AUTO: Mapping[str, Key] = {
    "on": Key("text", "The metric that is compared: `mae`."),
    "better": Key("text", "lower or higher; by the metric's name where that tells."),
    "margin": Key("node", "How much better it has to be: a number, or % of the champion's value."),
    "segments": Key(
        "references", "Tables by segment: rows with candidate_METRIC, champion_METRIC and rows."
    ),
    "minimum_rows": Key(
        "whole", "A segment with fewer rows is left to people; 30 by default.", least=1, most=10**9
    ),
}

DEPLOY: Mapping[str, Key] = {
    "endpoint": Key("name", "Name of the endpoint; the model's name by default."),
    "environment": Key("name", "Where a new endpoint belongs; that of the gate by default."),
    "strategy": Key("node", "A preset's name, a list of steps, or a mapping with either."),
    "workers": Key("workers", "Bounds of its workers in each server: {min: 1, max: 4}."),
    "port": Key("whole", "Port of a new endpoint; a free one by default.", least=1, most=65535),
    "register": Key("name", "The register step whose version is deployed, if there are several."),
}

STAGE: Mapping[str, Key] = {
    "set_weight": Key("whole", "Percent of the requests that go to the new version.", most=100),
    "pause": Key("duration", "How long to hold; without a duration until somebody promotes."),
    "bake": Key("duration", "How long to hold; it passes when no alarm is off."),
    "analyse": Key("duration", "Compare with the champion until no worse; then hold."),
    "shadow": Key("node", "Mirror requests: a duration, or `percent`, `for` and `requests`."),
    "ask": Key("text", "Ask a person, with this question."),
    "window": Key("text", "Wait for a time: `Mon-Thu 09:00-16:00 Europe/Berlin`."),
}

OPTIONAL_DURATIONS = ("pause", "analyse")
"""Stages whose duration may be left out."""

SHADOW: Mapping[str, Key] = {
    "percent": Key("percent", "Share of the requests that is mirrored; 100 by default."),
    "for": Key("duration", "How long they are mirrored."),
    "requests": Key("whole", "Or until so many have been compared.", least=1, most=10**9),
}

ALARM: Mapping[str, Key] = {
    "name": Key("text", "A word; the metric's by default."),
    "metric": Key("text", "What is looked at."),
    "threshold": Key("any", "What a datapoint must not pass; a share, or for latencies ms."),
    "comparison": Key("text", "How; greater than by default."),
    "period": Key("duration", "What one datapoint covers; 10 s by default."),
    "evaluation_periods": Key("whole", "Of the last so many datapoints, …", least=1, most=1000),
    "datapoints_to_alarm": Key("whole", "… so many must breach.", least=1, most=1000),
    "treat_missing_data": Key("text", "What a period without data counts as."),
    "variant": Key("text", "Whose; the candidate's by default."),
    "minimum_requests": Key("whole", "A period with fewer counts as missing.", most=10**9),
    "dry_run": Key("flag", "Show and record it, and do nothing."),
}

METRIC: Mapping[str, Key] = {
    "metric": Key("text", "What is compared."),
    "margin": Key("any", "How much worse it may be; with % of the champion's value."),
    "worse_when": Key("text", "Which direction hurts."),
    "share": Key("any", "Its part of the error probability, against the others'."),
    "dry_run": Key("flag", "Show and record it, and do nothing."),
}

ANALYSIS: Mapping[str, Key] = {
    "alpha": Key("any", "Probability of calling an equal candidate worse; 0.05 by default."),
    "minimum_requests": Key("whole", "No verdict before so many.", least=1, most=10**9),
    "metrics": Key("node", "What is compared."),
}

_BUILT_IN_COMMON: Mapping[str, tuple[str, ...]] = {
    "register": ("after", "retries", "backoff", "sagemaker"),
    "gate": ("after",),  # it waits for people: `expires` is its limit, a retry means nothing
    "deploy": ("after", "sagemaker"),
}
BUILT_IN: Mapping[str, Mapping[str, Key]] = {
    "register": REGISTER,
    "gate": GATE,
    "deploy": DEPLOY,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of a data step. `rows`: it has to name rows, by `step.output` or
    `dataset:NAME`; `needed`: it cannot be left out."""

    doc: str
    rows: bool = False
    needed: bool = False


_ROWS = "`step.output` or `dataset:NAME@VERSION`"
DATA: Mapping[str, Mapping[str, Setting]] = {
    "ingest": {
        "dataset": Setting("The dataset that takes them.", needed=True),
        "source": Setting(
            "A file, glob, folder, s3:// address or SQL URL; or several.", needed=True
        ),
        "query": Setting("The SQL, where the source is a database."),
        "format": Setting("csv, parquet or jsonl; by the name's ending by default."),
        "mode": Setting("append (default), overwrite or upsert."),
        "keys": Setting("What makes a row unique, for upsert."),
        "types": Setting("Column to type, where the guess is wrong."),
        "timestamp": Setting("Column to its format, where there are several readings."),
    },
    "refresh": {"views": Setting("One view or several, in order.", needed=True)},
    "query": {
        "sql": Setting("A SELECT over datasets, and over `tables`.", needed=True),
        "tables": Setting(f"Name in the SQL to {_ROWS}."),
    },
    "validate": {
        "rows": Setting(f"What is checked: {_ROWS}.", rows=True, needed=True),
        "expectations": Setting("The file; expectations/DATASET.yaml by default."),
    },
    "transform": {
        "recipe": Setting("The recipe's file.", needed=True),
        "fit": Setting(f"What it is fitted on: {_ROWS}.", rows=True, needed=True),
        "apply": Setting(f"Name of an output to the rows that it is applied to: {_ROWS}."),
        "target": Setting("The column to predict, for transformations that use it."),
    },
    "split": {
        "rows": Setting(f"What is split: {_ROWS}.", rows=True, needed=True),
        "by": Setting("time, group, stratum, hash or random.", needed=True),
        "column": Setting("The column of the time, group, stratum or hash."),
        "parts": Setting("Name of an output to its share, or to where it begins.", needed=True),
        "gap": Setting("Time left out between parts, such as 24h."),
        "seed": Setting("Of a random or stratified split."),
        "target": Setting("The column to predict: leaks of it are looked for."),
        "leaks": Setting("fail (default) or warn, when the split leaks."),
    },
    "features": {
        "views": Setting("Feature views to join, each with @VERSION where wanted.", needed=True),
        "entities": Setting(f"Rows with keys and times: {_ROWS}.", rows=True, needed=True),
        "time": Setting("The entities' column of time.", needed=True),
    },
    "store": {
        "dataset": Setting("The dataset that takes the rows.", needed=True),
        "rows": Setting(f"What is written: {_ROWS}.", rows=True, needed=True),
        "mode": Setting("append (default), overwrite or upsert."),
        "keys": Setting("What makes a row unique, for upsert."),
        "message": Setting("A line for the snapshot."),
    },
    "bias": {
        "model": Setting("The fitted model: `step.output`.", needed=True),
        "rows": Setting(f"Rows that it did not see: {_ROWS}.", rows=True, needed=True),
        "label": Setting("Their column of what turned out to be true."),
        "positive": Setting("The outcome that is the good one: a value, or >X.", needed=True),
        "facets": Setting("Whose treatment: COLUMN, =VALUE or >X; several.", needed=True),
        "by": Setting("The group variable of CDDL and CDDPL: a column."),
        "intersections": Setting("true: the facets' intersections, too."),
        "metrics": Setting("Only these of Clarify's metrics."),
    },
    "explain": {
        "model": Setting("The fitted model: `step.output`.", needed=True),
        "rows": Setting(f"Rows to explain: {_ROWS}.", rows=True, needed=True),
        "count": Setting("Explain at most so many; 500 by default."),
        "seconds": Setting("A model that is no ensemble of trees: for so long; 60 by default."),
    },
}
"""The settings of each verb; a value may also be `${params.name}`."""

UNCACHED_VERBS = ("ingest", "refresh", "store")
"""What changes something, or looks at what may have changed."""

_DATA_COMMON = ("outputs", "after", "retries", "backoff", "timeout", "cache", "memory")


def keys_of(kind: str) -> frozenset[str]:
    """The keys that a step of `kind` may have, its own kind included."""
    if kind in DATA_VERBS:
        return frozenset((kind, *_DATA_COMMON))
    if kind == "tune":  # a trial that fails is told to the search: no retries
        return frozenset(("tune", *WORK)) - {"retries", "backoff"}
    return frozenset((kind, *(WORK if kind in WORK_KINDS else _BUILT_IN_COMMON[kind])))
