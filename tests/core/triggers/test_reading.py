"""The section `triggers:`: what is right is read, what is wrong is told with its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.trigger import CauseKind, TriggerDefinition
from core.releases.values import Problems
from core.triggers import read_triggers

WHOLE: dict[str, Any] = {
    "on": [
        {"schedule": "0 3 * * mon", "zone": "Europe/Berlin"},
        {"new_data": "bike_hours", "rows": 1000},
        {"monitor": "demand-drift", "windows": 2},
        {"metric": "monitor/demand-quality:mae", "above": 60, "datapoints": 2, "of": 3},
        {"alarm": "demand-mae"},
    ],
    "pipeline": "bike-demand",
    "params": {"month": "${newest.bike_hours.ts:%Y-%m}", "seed": 7},
    "model": "bike-demand",
    "cool_down": "6h",
    "budget": {"runs": 4, "cpu_time": "2h", "cost": 5, "cost_per_cpu_hour": 0.2, "per": "day"},
    "priority": 5,
    "relapse": {"retrainings": 2, "within": "3d"},
    "augment": {
        "dataset": "captured_bike",
        "label": "cnt",
        "since": "30d",
        "hold_back": "1d",
        "weights": {"random": 1, "uncertain": 0.5},
    },
}


def read(data: Any) -> tuple[tuple[TriggerDefinition, ...], list[str]]:
    problems = Problems()
    found = read_triggers(problems, "triggers", data)
    told = [f"{p.words()} ({p.hint})" if p.hint else p.words() for p in problems.found]
    return found, told


def test_a_whole_trigger_is_read() -> None:
    (found,), told = read({"retrain": WHOLE})
    assert told == []
    assert [c.kind for c in found.conditions] == [
        CauseKind.SCHEDULE,
        CauseKind.NEW_DATA,
        CauseKind.MONITOR,
        CauseKind.METRIC,
        CauseKind.ALARM,
    ]
    assert [c.words() for c in found.conditions] == [
        "schedule 0 3 * * mon Europe/Berlin",
        "new data in bike_hours (1,000 rows)",
        "monitor demand-drift violated in 2 windows",
        "metric monitor/demand-quality:mae > 60 in 2 of 3",
        "alarm demand-mae",
    ]
    assert (found.cool_down, found.budget.runs, found.relapse.within) == (21600, 4, 259200)
    assert found.augment is not None
    assert found.augment.hold_back == 86400


def test_little_is_enough() -> None:
    (found,), told = read({"weekly": {"on": {"schedule": "7d"}, "pipeline": "p"}})
    assert told == []
    assert found.conditions[0].every == 604_800
    assert found.relapse.retrainings == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pipeline": None}, "triggers.retrain.pipeline: text, not None"),
        ({"piplines": "x"}, "triggers.retrain.piplines: unknown key (did you mean pipeline?)"),
        ({"on": [{"schedule": "soon"}]}, "triggers.retrain.on[0].schedule: a duration"),
        ({"on": [{"schedule": "0 25 * * *"}]}, "not a cron line: hour: '25' is not from 0 to 23"),
        ({"on": [{"schedule": "0 0 31 2 *"}]}, "never comes"),
        ({"on": [{"schedule": "7d", "zone": "Mars/One"}]}, "no time zone Mars/One"),
        ({"on": [{"when": "7d"}]}, "one of schedule, new_data, monitor, metric, alarm, not when"),
        ({"on": [{"alarm": "a"}, {"alarm": "a"}]}, "given twice: alarm a"),
        ({"on": "daily"}, "triggers.retrain.on: a list of conditions"),
        ({"on": [{"metric": "mae", "above": 1}]}, "no metric: 'mae' (SOURCE:METRIC"),
        ({"on": [{"metric": "monitor/x:mae"}]}, "either above: or below:"),
        ({"on": [{"metric": "a/x:m", "above": 1, "datapoints": 3, "of": 2}]}, "3 of the last 2"),
        ({"on": [{"new_data": "Bike Hours"}]}, "no name of a dataset"),
        ({"on": [{"new_data": "x", "rows": 0}]}, "a whole number from 1"),
        ({"on": [{"monitor": "m", "state": "bad"}]}, "unknown: 'bad'"),
        ({"budget": {"runs": 0}}, "a budget of 0 lets nothing run (set enabled: false"),
        ({"budget": {"cost": 5}}, "a cost, and no price"),
        ({"budget": {"per": "month"}}, "unknown: 'month' (known: day, week)"),
        ({"cool_down": "later"}, "triggers.retrain.cool_down: a duration"),
        ({"params": {"month": "${newest.x}"}}, "newest wants 2 names"),
        ({"params": {"month": "${today}"}}, "params.month: ${today}: unknown"),
        ({"params": {"month": "${now"}}, "a ${ that does not end"),
        ({"params": {"a": [1]}}, "text, a number, true or false"),
        ({"augment": {"label": "cnt"}}, "triggers.retrain.augment.dataset: text, not None"),
        ({"augment": {"dataset": "x", "weights": {"unsure": 1}}}, "unknown key"),
        ({"augment": {"dataset": "x", "draw": "oldest"}}, "unknown: 'oldest'"),
        ({"relapse": {"retrainings": 0}}, "a whole number from 1 to 100"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(change: dict[str, Any], said: str) -> None:
    found, told = read({"retrain": {**WHOLE, **change}, "other": {"pipeline": "p"}})
    assert [each.name for each in found] == ["other"], "one that is wrong stops no other"
    assert any(said in line for line in told), told


def test_an_augmented_set_that_is_not_made_cannot_be_named() -> None:
    _, told = read({"t": {"pipeline": "p", "params": {"data": "${augmented.version}"}}})
    assert "the trigger augments nothing" in told[0]


@pytest.mark.parametrize("name", ["", "Retrain", "1st", "a" * 64, 7, "ä"])
def test_names_are_names(name: Any) -> None:
    found, told = read({name: {"pipeline": "p"}})
    assert not found
    assert "not a name" in told[0]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from([*WHOLE, "schedule", "alarm", "runs", "dataset", "x"]), inner
            )
        ),
        max_leaves=20,
    )
)
def test_whatever_is_written_reading_it_raises_nothing(data: Any) -> None:
    read({"retrain": data})
    read(data)
