"""The queue: nobody labels what somebody else has, answers are settled, labels are handed on."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from core.domain.labelling import TaskState
from core.engine import duties
from core.errors import NotFound
from core.labelling.errors import LabelRefused, NothingToLabel
from core.ops import Ops
from tests.core.labelling.conftest import Traffic
from tests.support.opened import OpenAs, raw


def expire(traffic: Traffic) -> None:
    raw(traffic.ops.workspace.database_url, "UPDATE label_claims SET expires_at = 1")


def old(traffic: Traffic) -> None:
    """As if all of it had been said a while ago."""
    raw(traffic.ops.workspace.database_url, "UPDATE label_tasks SET done_at = done_at - 600")


def test_two_people_are_never_shown_the_same_row(traffic: Traffic) -> None:
    traffic.queue(3)
    ana, bo = traffic.person("ana").labelling, traffic.person("bo").labelling
    first, second = ana.next("bike"), bo.next("bike")
    assert first.inference_id != second.inference_id
    assert ana.next("bike").inference_id == first.inference_id, "what one has comes first"
    with pytest.raises(LabelRefused, match="ana is labelling it just now"):
        bo.label("bike", first.inference_id, 7)
    expire(traffic)
    assert bo.label("bike", first.inference_id, 7).state is TaskState.DONE
    with pytest.raises(LabelRefused, match="is done already"):
        ana.label("bike", first.inference_id, 8)


def test_many_at_once_get_a_row_each(traffic: Traffic) -> None:
    traffic.queue(8)
    people = [traffic.person(f"p{number}") for number in range(6)]
    found: list[str] = []

    def work(one: Ops) -> None:
        found.append(one.labelling.next("bike").inference_id)

    threads = [threading.Thread(target=work, args=(each,)) for each in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(set(found)) == 6


def test_a_label_becomes_the_endpoints_after_a_minute(traffic: Traffic) -> None:
    traffic.queue(2)
    task = traffic.ops.labelling.next("bike")
    traffic.ops.labelling.label("bike", task.inference_id, "7.5", comment="sure")
    assert traffic.ops.labelling.due(time.time()) == ()
    assert traffic.ops.labelling.hand_over("bike").labels == 0
    old(traffic)
    (due,) = duties.due_labels(traffic.ops.session, time.time())
    assert (due.service, due.method, due.args) == ("labelling", "hand_over", ("bike",))
    assert traffic.ops.labelling.hand_over("bike").labels == 1
    coverage = traffic.ops.labels.coverage("bike")
    assert coverage.labels == 1
    assert coverage.arms[0].mae == 2.0
    assert traffic.ops.labelling.status("bike").handed == 1
    assert traffic.ops.labelling.hand_over("bike", at_once=True).labels == 0
    with pytest.raises(LabelRefused, match="has become a label of bike"):
        traffic.ops.labelling.undo("bike")


def test_a_session_of_labelling_is_handed_on_at_once(traffic: Traffic) -> None:
    traffic.queue(2)
    traffic.ops.labelling.label("bike", "id-0", 7)
    old(traffic)
    traffic.ops.labelling.label("bike", "id-1", 7)
    now = time.time()
    assert traffic.ops.labelling.due(now + 1) == ("bike",), "ten minutes are over for the first"
    raw(
        traffic.ops.workspace.database_url,
        "UPDATE label_tasks SET done_at = done_at + 300 WHERE inference_id = 'id-0'",
    )
    assert traffic.ops.labelling.due(now) == (), "somebody is still at it"
    assert traffic.ops.labelling.due(now + 61) == ("bike",)


def test_undoing_gives_the_row_back(traffic: Traffic) -> None:
    traffic.queue(2)
    labelling = traffic.ops.labelling
    with pytest.raises(LabelRefused, match="has labelled nothing"):
        labelling.undo("bike")
    task = labelling.next("bike")
    labelling.label("bike", task.inference_id, 7)
    assert labelling.next("bike").inference_id != task.inference_id
    assert labelling.undo("bike").inference_id == task.inference_id
    assert labelling.get("bike", task.inference_id).state is TaskState.OPEN
    assert labelling.status("bike").done == 0


def test_what_two_people_pass_over_is_out_of_the_queue(traffic: Traffic) -> None:
    traffic.queue(1)
    ana, bo, cy = (traffic.person(name).labelling for name in ("ana", "bo", "cy"))
    task = ana.next("bike")
    assert ana.skip("bike", task.inference_id).state is TaskState.OPEN
    with pytest.raises(NothingToLabel, match="nothing is left for ana"):
        ana.next("bike")
    assert bo.skip("bike", bo.next("bike").inference_id).state is TaskState.SKIPPED
    with pytest.raises(NothingToLabel):
        cy.next("bike")
    assert cy.status("bike").skipped == 1


def test_asked_twice_the_two_agree_or_a_third_decides(traffic: Traffic) -> None:
    traffic.queue(2, output=lambda n: "cat", twice=1.0)
    raw(
        traffic.ops.workspace.database_url,
        """UPDATE label_batches SET detail = '{"kind": "class", "classes": ["cat", "dog"]}'""",
    )
    ana, bo, cy = (traffic.person(name).labelling for name in ("ana", "bo", "cy"))
    one = ana.next("bike").inference_id
    assert bo.next("bike").inference_id == one, "two may look at it at once, and no third"
    assert cy.next("bike").inference_id != one
    cy.release("bike")
    assert ana.label("bike", one, "cat").state is TaskState.OPEN
    with pytest.raises(LabelRefused, match="ana has labelled it already"):
        ana.label("bike", one, "dog")
    assert bo.label("bike", one, "cat").label == "cat"
    two = ana.next("bike").inference_id
    ana.label("bike", two, "cat")
    assert bo.label("bike", two, "dog").state is TaskState.OPEN
    assert cy.label("bike", two, "dog").label == "dog"
    status = ana.status("bike")
    assert status.agreement.rows == 2
    assert status.agreement.share == 0.5
    assert status.people == {"ana": 2, "bo": 2, "cy": 1}


def test_three_that_all_differ_are_disputed(traffic: Traffic) -> None:
    traffic.queue(1, twice=1.0)
    for person, value in (("ana", 10), ("bo", 20), ("cy", 40)):
        labelling = traffic.person(person).labelling
        state = labelling.label("bike", labelling.next("bike").inference_id, value).state
    assert state is TaskState.DISPUTED
    old(traffic)
    assert traffic.ops.labelling.hand_over("bike").labels == 0


def test_rows_given_to_somebody_are_theirs(traffic: Traffic) -> None:
    traffic.queue(3)
    ana, bo = traffic.person("ana").labelling, traffic.person("bo").labelling
    assert ana.assign("bike", "bo", rows=2) == 2
    mine = {task.inference_id for task in bo.queue("bike", assigned_to="bo")}
    assert len(mine) == 2
    assert ana.next("bike").inference_id not in mine
    with pytest.raises(LabelRefused, match="is given to bo"):
        ana.label("bike", mine.pop(), 7)
    assert bo.next("bike").assigned_to == "bo"
    with pytest.raises(LabelRefused, match="nope is not in the queue"):
        ana.assign("bike", "bo", ids=["nope"])
    assert ana.assign("bike", None, rows=10) == 2


@pytest.mark.parametrize(
    ("value", "said"),
    [("many", "is no number"), ("nan", "is no number"), ("", "empty"), (True, "is no number")],
)
def test_a_label_that_is_none_is_refused(traffic: Traffic, value: Any, said: str) -> None:
    traffic.queue(1)
    with pytest.raises(LabelRefused, match=said):
        traffic.ops.labelling.label("bike", "id-0", value)
    assert traffic.ops.labelling.get("bike", "id-0").state is TaskState.OPEN


def test_a_class_that_nobody_has_said_is_asked_about(traffic: Traffic) -> None:
    traffic.queue(3, output=lambda n: ["cat", "dog"][n % 2])
    labelling = traffic.ops.labelling
    with pytest.raises(LabelRefused, match=r"no class catt so far") as caught:
        labelling.label("bike", "id-0", "catt")
    assert "did you mean cat?" in caught.value.hint
    assert labelling.label("bike", "id-0", "bird", new=True).label == "bird"


def test_unknown_rows_and_endpoints(traffic: Traffic) -> None:
    traffic.queue(1)
    with pytest.raises(LabelRefused, match="id-99 is not in the queue of bike"):
        traffic.ops.labelling.label("bike", "id-99", 1)
    for action in (traffic.ops.labelling.next, traffic.ops.labelling.status):
        with pytest.raises(NotFound):
            action("boat")


def test_dropping_leaves_what_was_labelled(traffic: Traffic) -> None:
    traffic.queue(3)
    traffic.ops.labelling.label("bike", "id-0", 7)
    assert traffic.ops.labelling.drop("bike") == 2
    status = traffic.ops.labelling.status("bike")
    assert (status.open, status.dropped, status.done) == (0, 2, 1)


def test_what_is_deleted_from_the_capture_leaves_the_queue(traffic: Traffic) -> None:
    from tests.core.labelling.conftest import NOON

    traffic.queue(4)
    traffic.ops.labelling.label("bike", "id-0", 7)
    traffic.ops.captures.delete("bike", NOON + 2)
    tasks = traffic.ops.labelling.queue("bike", states=("open", "done"))
    assert {task.inference_id for task in tasks} == {"id-2", "id-3"}
    assert raw(traffic.ops.workspace.database_url, "SELECT * FROM label_answers") == []


def test_labels_make_a_new_version_of_the_augmented_set(
    traffic: Traffic, open_as: OpenAs, database_url: str
) -> None:
    if not database_url.startswith("sqlite"):
        pytest.skip("the lake is the same on both")
    traffic.queue(2)
    folder = traffic.ops.workspace.root / "monitors"
    folder.mkdir()
    (folder / "bike.yaml").write_text(
        "triggers: {retrain: {pipeline: chain, model: demand, endpoint: bike,"
        " augment: {dataset: captured_bike, label: cnt}}}\n"
    )
    traffic.ops.labelling.label("bike", "id-1", 7)
    done = traffic.ops.labelling.hand_over("bike", at_once=True)
    assert done.datasets == ("captured_bike",)
    dataset = traffic.ops.data.get("captured_bike")
    assert dataset.rows == 1
    assert {"temp", "cnt", "captured_id", "labelled_for"} <= {c.name for c in dataset.columns}
