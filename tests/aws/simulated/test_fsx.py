"""A file system's tasks with its data repository."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.simulated.server import SimulatedAccount


def test_a_task_executes_and_another_is_cancelled(
    aws: SimulatedAccount, client: Callable[[str], Any]
) -> None:
    fsx = client("fsx")
    system = fsx.create_file_system(
        FileSystemType="LUSTRE", StorageCapacity=1200, SubnetIds=["subnet-12345678"]
    )["FileSystem"]["FileSystemId"]

    def create() -> str:
        task: str = fsx.create_data_repository_task(
            Type="EXPORT_TO_REPOSITORY", FileSystemId=system, Report={"Enabled": False}
        )["DataRepositoryTask"]["TaskId"]
        return task

    def states() -> list[str]:
        asked = [{"Name": "file-system-id", "Values": [system]}]
        rows = fsx.describe_data_repository_tasks(Filters=asked)["DataRepositoryTasks"]
        return [row["Lifecycle"] for row in rows]

    create()
    aws.advance(20)
    assert states() == ["EXECUTING"]
    aws.advance(200)
    second = create()
    fsx.cancel_data_repository_task(TaskId=second)
    aws.advance(30)
    assert states() == ["CANCELED", "SUCCEEDED"]
    with pytest.raises(ClientError, match="DataRepositoryTaskEnded"):
        fsx.cancel_data_repository_task(TaskId=second)
