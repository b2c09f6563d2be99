"""A run in the simulated account followed by real workers, one of which is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from core.domain.run import RunStatus

from .conftest import GATE, PIPELINE, Site


@contextmanager
def worker(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of the workspace, ended with whatever it started."""
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "core.engine.worker", str(site.root)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(10)


def until(holds: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.1)
    return found


@pytest.mark.slow
def test_a_worker_that_is_killed_leaves_one_execution_and_the_next_goes_on(site: Site) -> None:
    site.pipeline(PIPELINE + GATE)
    site.account.clock.set_speed(60.0)
    try:
        run = site.start()
        with worker(site) as first:
            until(lambda: site.ops.runs.get(run).run.status is RunStatus.RUNNING)
            os.kill(first.pid, signal.SIGKILL)
            first.wait(10)
            with worker(site):
                (asked,) = until(site.ops.approvals.list)
                site.ops.approvals.approve(asked.id)
                ended = until(
                    lambda: site.ops.runs.get(run).run.status.ended and site.ops.runs.get(run)
                )
    finally:
        site.account.clock.set_speed(1.0)
    assert ended.run.status is RunStatus.SUCCEEDED, ended.run.message
    listed = site.client("sagemaker").list_pipeline_executions(PipelineName="demand")
    assert len(listed["PipelineExecutionSummaries"]) == 1
