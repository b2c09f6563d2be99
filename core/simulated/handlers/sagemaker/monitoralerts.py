"""The alert of a monitoring schedule: in alert while its last execution found violations."""

from __future__ import annotations

from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker.common import find
from core.simulated.listing import Record, page, select
from core.simulated.registry import operation
from core.simulated.state import Call, State

TABLE = "sagemaker.monitoring-schedules"


def schedule_of(state: State, call: Call) -> Record:
    """The schedule a call names, or AWS's answer that there is none."""
    name = call.params["MonitoringScheduleName"]
    missing = f"Monitoring schedule {name} does not exist."
    return find(state, TABLE, name, missing, "ResourceNotFound")


def fresh(state: State, schedule: str) -> Record:
    """The alert every schedule has from the start."""
    return {
        "MonitoringAlertName": f"{schedule[:50]}-alert",
        "CreationTime": state.now,
        "LastModifiedTime": state.now,
        "AlertStatus": "OK",
        "DatapointsToAlert": 1,
        "EvaluationPeriod": 1,
        "Actions": {"ModelDashboardIndicator": {"Enabled": True}},
    }


def raised(state: State, record: Record, violated: bool) -> None:
    """An execution is over: the alert says whether it found violations."""
    alert = record["_alert"]
    status = "InAlert" if violated else "OK"
    if alert["AlertStatus"] != status:
        alert.update(AlertStatus=status, LastModifiedTime=state.now)
        record["_history"].append(
            {
                "MonitoringScheduleName": record["MonitoringScheduleName"],
                "MonitoringAlertName": alert["MonitoringAlertName"],
                "CreationTime": state.now,
                "AlertStatus": status,
            }
        )


@operation("sagemaker", "ListMonitoringAlerts")
def list_alerts(state: State, call: Call) -> dict[str, Any]:
    return page(call, "MonitoringAlertSummaries", [dict(schedule_of(state, call)["_alert"])])


@operation("sagemaker", "ListMonitoringAlertHistory")
def list_alert_history(state: State, call: Call) -> dict[str, Any]:
    rows = [each for record in state.table(TABLE).values() for each in record["_history"]]
    members = ("MonitoringScheduleName", "MonitoringAlertName")
    found = select(
        call,
        rows,
        name="MonitoringAlertName",
        status="AlertStatus",
        equal={each: each for each in members},
    )
    return page(call, "MonitoringAlertHistory", found)


@operation("sagemaker", "UpdateMonitoringAlert")
def update_alert(state: State, call: Call) -> dict[str, Any]:
    record = schedule_of(state, call)
    alert = record["_alert"]
    if alert["MonitoringAlertName"] != call.params["MonitoringAlertName"]:
        raise Fault("ResourceNotFound", "The schedule has no such alert.")
    for name in ("DatapointsToAlert", "EvaluationPeriod"):
        alert[name] = call.params[name]
    alert["LastModifiedTime"] = state.now
    return {
        "MonitoringScheduleArn": record["MonitoringScheduleArn"],
        "MonitoringAlertName": alert["MonitoringAlertName"],
    }
