"""The process aside: answers, errors, cancelling, dying."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import asidechild
from core.aside import Aside, Cancelled
from core.errors import NotFound, ServiceUnavailable
from core.ops import Ops, open_ops
from tests.support.opened import write_workspace


@pytest.fixture
def ops(tmp_path: Path) -> Iterator[Ops]:
    with open_ops(write_workspace(tmp_path / "w")) as opened:
        yield opened


def test_it_answers_as_the_service_itself(ops: Ops) -> None:
    assert ops.aside.ask("views", "list") == ops.views.list() == ()
    first = ops.aside._child
    assert ops.aside.ask("views", "files") == ()
    assert ops.aside._child is first


def test_its_errors_are_ours(ops: Ops) -> None:
    with pytest.raises(NotFound) as caught:
        ops.aside.ask("views", "get", "nothing")
    assert caught.value.message == "view nothing: no such view"
    assert caught.value.hint == "known: none yet"
    with pytest.raises(RuntimeError, match="TypeError"):
        ops.aside.ask("views", "get", wrong=1)
    assert ops.aside.ask("views", "list") == ()


def test_only_services_and_only_what_is_public(ops: Ops) -> None:
    with pytest.raises(ValueError, match="no questions to session"):
        ops.aside.ask("session", "store")
    good, error = asidechild.answer(ops, "views", "_known", ("x",), {})
    assert not good and "no such question" in str(error)


def test_a_process_that_dies_is_told_and_another_one_starts(ops: Ops) -> None:
    ops.aside.warm()
    child = ops.aside._child
    assert child is not None
    child.kill()
    child.wait(5)
    assert ops.aside.ask("views", "list") == ()
    assert ops.aside._child is not child


def test_what_takes_too_long_is_ended(ops: Ops) -> None:
    ops.aside.ask("views", "list")
    child = ops.aside._child
    assert child is not None
    import os
    import signal

    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(ServiceUnavailable, match="has died"):
        ops.aside.ask("views", "list", seconds=0.2)
    assert child.poll() is not None
    assert ops.aside.ask("views", "list") == ()


def test_a_question_can_be_cancelled(ops: Ops) -> None:
    import os
    import signal

    ops.aside.ask("views", "list")
    child = ops.aside._child
    assert child is not None
    os.kill(child.pid, signal.SIGSTOP)
    ended: list[Exception] = []

    def ask() -> None:
        try:
            ops.aside.ask("views", "list")
        except Exception as error:  # noqa: BLE001 - looked at below
            ended.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.1)
    ops.aside.cancel()
    asking.join(5)
    assert [type(each) for each in ended] == [Cancelled]


def test_closing_ends_the_process(tmp_path: Path) -> None:
    with open_ops(write_workspace(tmp_path / "w")) as opened:
        aside: Aside = opened.aside
        aside.warm()
        child = aside._child
    assert child is not None and child.poll() is not None
    with pytest.raises(ServiceUnavailable):
        aside.ask("views", "list")
