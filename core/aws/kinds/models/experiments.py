"""SageMaker Experiments, read only: experiments, their trials, and what was tried in each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws import words
from core.aws.kind import Column, Detail, Item, Kind, Section

if TYPE_CHECKING:
    from core.aws.account import Account

_NOTICE = "Experiments are read only here; their successor is managed MLflow (:mlflow)"
_NEWEST = {"SortBy": "CreationTime", "SortOrder": "Descending"}


def _plain(key: str) -> Any:
    """What makes an item of an experiment's or a trial's summary."""

    def item(summary: Mapping[str, Any]) -> Item:
        name = summary[key]
        shown = summary.get("DisplayName", name)
        return Item(
            id=name,
            cells=(
                name,
                shown if shown != name else "",
                words.clock(summary["CreationTime"]),
                words.clock(summary.get("LastModifiedTime")),
            ),
            changed=words.epoch(summary.get("LastModifiedTime") or summary["CreationTime"]),
            raw=summary,
        )

    return item


_experiment, _trial = _plain("ExperimentName"), _plain("TrialName")


def _experiments(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages("sagemaker", "list_experiments", **_NEWEST):
        yield [_experiment(each) for each in page["ExperimentSummaries"]]


def _trials(account: Account, experiment: str) -> Iterator[Sequence[Item]]:
    of = {"ExperimentName": experiment} if experiment else {}
    for page in account.pages("sagemaker", "list_trials", **_NEWEST, **of):
        yield [_trial(each) for each in page["TrialSummaries"]]


def _show_experiment(account: Account, name: str) -> Detail:
    found = account.call("sagemaker", "describe_experiment", ExperimentName=name)
    return Detail(name, "", (_about("Experiment", found),), item=_experiment(found), raw=found)


def _show_trial(account: Account, name: str) -> Detail:
    found = account.call("sagemaker", "describe_trial", TrialName=name)
    return Detail(name, "", (_about("Trial", found),), item=_trial(found), raw=found)


def _about(title: str, found: Mapping[str, Any]) -> Section:
    lines = words.labelled(
        found, "ExperimentArn", "TrialArn", "ExperimentName", "DisplayName", "Description",
        "CreationTime", "LastModifiedTime",
    )  # fmt: skip
    return Section(title, (*lines, *words.labelled(found.get("Source", {}), "SourceArn")))


def _component(summary: Mapping[str, Any]) -> Item:
    status = summary.get("Status", {}).get("PrimaryStatus", "")
    source = (summary.get("TrialComponentSource") or summary.get("Source") or {}).get(
        "SourceArn", ""
    )
    begun, ended = words.epoch(summary.get("StartTime")), words.epoch(summary.get("EndTime"))
    took = words.span(ended - begun) if begun and ended else ""
    return Item(
        id=summary["TrialComponentName"],
        cells=(
            summary.get("DisplayName") or summary["TrialComponentName"],
            status,
            source.split(":", 5)[-1] if source else "",
            took,
            words.clock(summary["CreationTime"]),
        ),
        tone=words.tone(status),
        changed=words.epoch(summary["CreationTime"]),
        raw=summary,
    )


def _components(account: Account, trial: str) -> Iterator[Sequence[Item]]:
    of = {"TrialName": trial} if trial else {}
    for page in account.pages("sagemaker", "list_trial_components", **_NEWEST, **of):
        yield [_component(each) for each in page["TrialComponentSummaries"]]


def _show_component(account: Account, name: str) -> Detail:
    found = account.call("sagemaker", "describe_trial_component", TrialComponentName=name)
    status = found.get("Status", {})
    about = words.labelled(
        found, "TrialComponentArn", "DisplayName", "StartTime", "EndTime", "CreationTime"
    )
    source = words.labelled(found.get("Source", {}), "SourceArn", "SourceType")
    message = words.labelled(status, "PrimaryStatus", "Message")
    sections = (
        Section("Trial component", (*message, *about, *source)),
        Section("Metrics", tuple(_metric(each) for each in found.get("Metrics", ()))),
        Section(
            "Parameters",
            tuple((key, _value(each)) for key, each in sorted(found.get("Parameters", {}).items())),
        ),
        Section("Inputs", _artifacts(found.get("InputArtifacts", {}))),
        Section("Outputs", _artifacts(found.get("OutputArtifacts", {}))),
        Section("Made by", words.labelled(
            found.get("MetadataProperties", {}), "CommitId", "Repository", "GeneratedBy",
        )),
    )  # fmt: skip
    item = _component(found)
    return Detail(
        item.cells[0], item.tone, tuple(each for each in sections if each.lines), item=item,
        raw=found,
    )  # fmt: skip


def _metric(metric: Mapping[str, Any]) -> tuple[str, str]:
    numbers = (
        f"{word} {words.number(metric[key])}"
        for key, word in (("Last", "last"), ("Min", "min"), ("Max", "max"), ("Avg", "mean"))
        if metric.get(key) is not None
    )
    return metric["MetricName"], f"{', '.join(numbers)} of {metric.get('Count', 0):,}"


def _value(value: Mapping[str, Any]) -> str:
    if "NumberValue" in value:
        return words.number(value["NumberValue"])
    return words.short(value.get("StringValue", ""), 200)


def _artifacts(found: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    return tuple((key, str(value.get("Value", ""))) for key, value in sorted(found.items()))


_COLUMNS = (
    Column("Name", 28, grow=2),
    Column("Shown as", 16, grow=1, drop=2),
    Column("Created", 19, drop=1),
    Column("Changed", 19, drop=3),
)

EXPERIMENTS = Kind(
    name="experiments",
    title="Experiments",
    service="SageMaker",
    about="SageMaker Experiments.",
    columns=_COLUMNS,
    list=_experiments,
    show=_show_experiment,
    operations=("sagemaker:ListExperiments", "sagemaker:DescribeExperiment"),
    child="trials",
    notice=_NOTICE,
    every=30.0,
)

TRIALS = Kind(
    name="trials",
    title="Trials",
    service="SageMaker",
    about="The trials of an experiment.",
    columns=_COLUMNS,
    list=_trials,
    show=_show_trial,
    operations=("sagemaker:ListTrials", "sagemaker:DescribeTrial"),
    parent="experiments",
    child="trial-components",
    notice=_NOTICE,
    every=30.0,
)

COMPONENTS = Kind(
    name="trial-components",
    title="Trial components",
    service="SageMaker",
    about="What was tried: parameters, metrics, inputs and outputs.",
    columns=(
        Column("Component", 28, grow=2),
        Column("Status", 10),
        Column("Source", 20, grow=1, drop=2),
        Column("Took", 9, align="right", drop=3),
        Column("Created", 19, drop=1),
    ),
    list=_components,
    show=_show_component,
    operations=("sagemaker:ListTrialComponents", "sagemaker:DescribeTrialComponent"),
    parent="trials",
    notice=_NOTICE,
    every=30.0,
)
