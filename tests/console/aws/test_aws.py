"""`opsdeck aws` on the simulated account: the console's kinds on the command line."""

from __future__ import annotations

from typing import Any

import pytest

from core.aws.calls import writes


@pytest.fixture
def on(cli: Any, sim: Any) -> Any:
    """Run `opsdeck --context sim aws …`."""
    return lambda *args: cli("--context", "sim", "aws", *args)


@pytest.fixture
def groups(client: Any) -> list[str]:
    """Three groups of model packages."""
    names = [f"model-{number}" for number in range(3)]
    for name in names:
        client("sagemaker").create_model_package_group(ModelPackageGroupName=name)
    return names


def changes(sim: Any) -> list[str]:
    """What reached the account and changes something."""
    return [call.operation for call in sim.calls if writes(call.operation)]


def test_kinds_are_listed_with_what_they_ask_for(cli: Any) -> None:
    kinds = {each["name"]: each for each in cli("aws", "kinds", "--json").json()["kinds"]}
    assert kinds["endpoints"]["mode"] == "deploys"
    assert "sagemaker:ListEndpoints" in kinds["endpoints"]["operations"]
    assert kinds["steps"]["parent"] == "executions"
    only = cli("aws", "kinds", "deploys")
    assert "endpoints" in only.out
    assert "sfn-executions" not in only.out


def test_listing_filtering_and_stopping_early(on: Any, groups: list[str]) -> None:
    listed = on("list", "model-groups", "--json").json()
    assert sorted(item["id"] for item in listed["items"]) == groups
    assert listed["more"] is False
    assert listed["items"][0]["raw"]["ModelPackageGroupName"] in groups
    some = on("list", "model-groups", "--limit", "2", "--json").json()
    assert len(some["items"]) == 2
    assert some["more"] is True
    assert "model-1" in on("list", "registry", "--filter", "MODEL-1").out, "an alias does too"
    assert on("list", "model-groups", "--filter", "nothing").out.startswith("no model groups")


def test_showing_one_and_its_json(on: Any, groups: list[str]) -> None:
    shown = on("show", "model-groups", "model-1", "--json").json()
    assert shown["kind"] == "model-groups"
    assert shown["sections"]
    raw = on("show", "model-groups", "model-1", "--raw")
    assert '"ModelPackageGroupName": "model-1"' in raw.out
    gone = on("show", "model-groups", "nope")
    assert gone.status == 3
    assert gone.err.startswith("error E705")


def test_deleting_wants_the_name_and_does_it_once(on: Any, sim: Any, groups: list[str]) -> None:
    before = changes(sim)
    asked = on("do", "model-groups", "model-1", "delete", "--yes")
    assert asked.status == 2
    assert "--confirm model-1" in asked.err
    wrong = on("do", "model-groups", "model-1", "delete", "--confirm", "model-2")
    assert wrong.status == 2
    assert changes(sim) == before
    done = on("do", "model-groups", "model-1", "delete", "--confirm", "model-1", "--json").json()
    assert done["account"] == "123456789012"
    assert changes(sim)[len(before) :] == ["DeleteModelPackageGroup"]


def test_making_one_asks_before(on: Any, sim: Any) -> None:
    refused = on("new", "model-groups", "create", "name=fresh")
    assert refused.status == 2
    assert "--yes" in refused.err
    assert "account 123456789012, eu-west-1" in refused.err
    assert changes(sim) == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["list", "endpionts"], "did you mean endpoints?"),
        (["do", "endpoints", "x", "rollbck"], "did you mean rollback?"),
        (["new", "model-groups", "create", "nam=x"], "did you mean name=?"),
        (["new", "model-groups", "create", "name"], "not KEY=VALUE"),
        (["list", "steps"], "of which execution?"),
        (["logs", "model-groups", "x"], "these have no logs"),
    ],
)
def test_what_is_mistyped_is_told_in_one_line(on: Any, args: list[str], said: str) -> None:
    refused = on(*args)
    assert refused.status == 2
    assert said in refused.err
    assert len(refused.err.strip().splitlines()) == 1


def test_read_only_refuses_before_anything_is_sent(cli: Any, sim: Any, groups: list[str]) -> None:
    before = changes(sim)
    for args in (
        ["do", "model-groups", "model-1", "delete", "--confirm", "model-1"],
        ["new", "model-groups", "create", "name=fresh", "--yes"],
    ):
        refused = cli("--read-only", "--context", "sim", "aws", *args)
        assert refused.status == 1
        assert "E200" in refused.err
    assert changes(sim) == before


def test_denied_and_throttled_are_one_line(on: Any, sim: Any) -> None:
    sim.fault("sagemaker:ListEndpoints", "AccessDeniedException", times=50)
    denied = on("list", "endpoints")
    assert denied.status == 1
    assert "E701" in denied.err
    assert "sagemaker:ListEndpoints" in denied.err
    sim.world.faults.clear()
    sim.fault("sagemaker:ListEndpoints", "ThrottlingException", times=50)
    throttled = on("list", "endpoints", "--json")
    assert throttled.status == 4
    assert throttled.json()["error"]["code"] == "E704"


def test_logs_of_a_job(on: Any, client: Any) -> None:
    import time

    logs = client("logs")
    logs.create_log_group(logGroupName="/aws/sagemaker/TrainingJobs")
    stream = "fit-1/algo-1"
    logs.create_log_stream(logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream)
    now = int(time.time() * 1000)
    lines = [{"timestamp": now + at, "message": f"epoch {at}"} for at in range(3)]
    logs.put_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream, logEvents=lines
    )
    printed = on("logs", "training", "fit-1", "--since", "1h")
    assert printed.status == 0, printed.err
    assert printed.out.splitlines() == ["epoch 0", "epoch 1", "epoch 2"]
    found = on("logs", "training", "fit-1", "--filter", '"epoch 1"', "--json").json()
    assert [line["text"] for line in found["lines"]] == ["epoch 1"]


def test_the_actions_that_a_kind_needs(cli: Any) -> None:
    calls = cli("aws", "calls", "endpoints", "--json").json()["calls"]
    assert {"kind": "endpoints", "action": "sagemaker:DeleteEndpoint", "does": "write",
            "for": "delete"} in calls  # fmt: skip


def test_what_only_reads_asks_nothing_and_is_done_in_a_read_only_session(
    cli: Any, sim: Any, client: Any
) -> None:
    client("logs").create_log_group(logGroupName="/plain")
    before = changes(sim)
    query = ("query=fields @message | limit 5", "since=1h")
    told = cli(
        "--context", "sim", "--read-only", "aws", "do", "log-groups", "/plain", "ask", *query
    )
    assert (told.status, told.out.strip()) == (0, "no rows")
    refused = cli(
        "--context", "sim", "--read-only", "aws", "do", "log-groups", "/plain", "keep", "days=30",
        "--confirm", "/plain",
    )  # fmt: skip
    assert refused.status == 1
    assert "E200" in refused.err
    assert [each for each in changes(sim) if each not in before] == []


def test_the_policy_of_a_role_is_printed(cli: Any) -> None:
    told = cli("aws", "policy", "reader", "--kind", "buckets", "--json").json()
    assert told["Version"] == "2012-10-17"
    assert told["Statement"][0]["Action"][0].startswith("s3:")
