"""ECR: images tell how their scan stands. Everything else, findings too, is moto's."""

from __future__ import annotations

from typing import Any

from core.simulated.faults import Fault
from core.simulated.registry import operation
from core.simulated.state import Call, State


@operation("ecr", "DescribeImages")
def describe(state: State, call: Call) -> dict[str, Any]:
    answer = call.moto()
    for each in answer.get("imageDetails", ()):
        try:
            told = state.moto(
                "ecr",
                "DescribeImageScanFindings",
                repositoryName=each["repositoryName"],
                imageId={"imageDigest": each["imageDigest"]},
            )
        except Fault as fault:
            if fault.code != "ScanNotFoundException":
                raise
            continue
        found = told["imageScanFindings"]
        each["imageScanStatus"] = told["imageScanStatus"]
        each["imageScanFindingsSummary"] = {
            key: found[key]
            for key in (
                "imageScanCompletedAt",
                "vulnerabilitySourceUpdatedAt",
                "findingSeverityCounts",
            )
            if key in found
        }
    return answer
