"""Glue where moto is instant or lacking: job runs and crawls on the clock, searching tables.

A run's argument `--simulate-outcome FAILED` makes it fail; `--simulate-seconds` is how long it
runs. A crawler makes a table of every folder of its S3 targets that holds CSV or parquet files.
"""

from __future__ import annotations

import csv
import io
import statistics
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker.common import log, place, read
from core.simulated.listing import Record, described, page
from core.simulated.registry import operation
from core.simulated.state import Call, State

RUNS, CRAWLS = "glue.job-runs", "glue.crawls"
STARTING, RUNNING, STOPPING, CRAWLING = 20.0, 120.0, 10.0, 60.0
_LOGS = "/aws-glue/jobs"


# -- job runs


@operation("glue", "StartJobRun")
def start_job_run(state: State, call: Call) -> dict[str, Any]:
    params = dict(call.params)
    job = state.moto("glue", "GetJob", JobName=params["JobName"])["Job"]
    active = [
        run
        for run in _runs(state, params["JobName"])
        if run["JobRunState"] in ("STARTING", "RUNNING", "STOPPING")
    ]
    most = int(job.get("ExecutionProperty", {}).get("MaxConcurrentRuns", 1))
    if len(active) >= most:
        raise Fault(
            "ConcurrentRunsExceededException",
            f"Concurrent runs exceeded for {params['JobName']}",
            400,
        )
    ident = f"jr_{state.unique()}{state.unique()}{state.unique()}"
    kept = ("GlueVersion", "Timeout", "MaxCapacity", "WorkerType", "NumberOfWorkers")
    record: Record = {
        **{name: job[name] for name in kept if job.get(name)},
        **{name: value for name, value in params.items() if name != "JobRunId"},
        "Id": ident,
        "Attempt": 0,
        "PreviousRunId": params.get("JobRunId"),
        "Arguments": {**job.get("DefaultArguments", {}), **params.get("Arguments", {})},
        "JobRunState": "STARTING",
        "StartedOn": state.now,
        "LastModifiedOn": state.now,
        "ExecutionTime": 0,
        "LogGroupName": _LOGS,
    }
    state.table(RUNS)[ident] = record
    record["_timer"] = state.after(STARTING, _run, state, record)
    return {"JobRunId": ident}


def _runs(state: State, name: str) -> list[Record]:
    found = [run for run in state.table(RUNS).values() if run["JobName"] == name]
    return sorted(found, key=lambda run: float(run["StartedOn"]), reverse=True)


def _run(state: State, record: Record) -> None:
    record.update(JobRunState="RUNNING", LastModifiedOn=state.now)
    log(state, f"{_LOGS}/output", record["Id"], f"Running {record['JobName']}")
    wanted = float(record["Arguments"].get("--simulate-seconds", RUNNING))
    limit = float(record.get("Timeout") or 2880) * 60
    after = _over if wanted <= limit else _timed_out
    record["_timer"] = state.after(min(wanted, limit), after, state, record)


def _timed_out(state: State, record: Record) -> None:
    _end(state, record, "TIMEOUT", "Job run exceeded its timeout")


def _over(state: State, record: Record) -> None:
    if record["Arguments"].get("--simulate-outcome") == "FAILED":
        reason = record["Arguments"].get("--simulate-reason", "Command failed with exit code 1")
        _end(state, record, "FAILED", reason)
    else:
        _end(state, record, "SUCCEEDED")


def _end(state: State, record: Record, status: str, error: str = "") -> None:
    length = round(state.clock.elapsed(record["StartedOn"]))
    record.update(
        JobRunState=status,
        CompletedOn=state.now,
        LastModifiedOn=state.now,
        ExecutionTime=length,
        DPUSeconds=float(length * (record.get("NumberOfWorkers") or 2)),
    )
    if error:
        record["ErrorMessage"] = error
        log(state, f"{_LOGS}/error", record["Id"], error)
    log(state, f"{_LOGS}/output", record["Id"], f"{record['JobName']}: {status}")


@operation("glue", "GetJobRun")
def get_job_run(state: State, call: Call) -> dict[str, Any]:
    record = state.table(RUNS).get(call.params["RunId"])
    if record is None or record["JobName"] != call.params["JobName"]:
        raise Fault("EntityNotFoundException", f"Job Run {call.params['RunId']} not found", 400)
    return described(call, {"JobRun": record})


@operation("glue", "GetJobRuns")
def get_job_runs(state: State, call: Call) -> dict[str, Any]:
    state.moto("glue", "GetJob", JobName=call.params["JobName"])
    found = page(call, "JobRuns", _runs(state, call.params["JobName"]), size=100)
    return described(call, found)


@operation("glue", "BatchStopJobRun")
def batch_stop_job_run(state: State, call: Call) -> dict[str, Any]:
    name = call.params["JobName"]
    done: list[Record] = []
    errors: list[Record] = []
    for ident in call.params["JobRunIds"]:
        record = state.table(RUNS).get(ident)
        key = {"JobName": name, "JobRunId": ident}
        if record is None or record["JobName"] != name:
            detail = {"ErrorCode": "JobRunNotFoundException", "ErrorMessage": "No such job run"}
            errors.append({**key, "ErrorDetail": detail})
        elif record["JobRunState"] not in ("STARTING", "RUNNING"):
            text = f"The job run is {record['JobRunState']}"
            detail = {"ErrorCode": "InvalidJobRunStateException", "ErrorMessage": text}
            errors.append({**key, "ErrorDetail": detail})
        else:
            state.cancel(record["_timer"])
            record.update(JobRunState="STOPPING", LastModifiedOn=state.now)
            record["_timer"] = state.after(STOPPING, _end, state, record, "STOPPED")
            done.append(key)
    return {"SuccessfulSubmissions": done, "Errors": errors}


# -- crawlers


@operation("glue", "StartCrawler")
def start_crawler(state: State, call: Call) -> dict[str, Any]:
    answer = call.moto()
    name = call.params["Name"]
    crawl: Record = {"begun": state.now, "ended": None, "created": 0, "updated": 0}
    state.table(CRAWLS).setdefault(name, []).append(crawl)
    crawl["timer"] = state.after(CRAWLING, _crawled, state, name, crawl)
    return answer


@operation("glue", "StopCrawler")
def stop_crawler(state: State, call: Call) -> dict[str, Any]:
    answer = call.moto()
    name = call.params["Name"]
    crawl = state.table(CRAWLS)[name][-1]
    state.cancel(crawl["timer"])
    state.after(STOPPING, _set, state, name, crawl, "STOPPED")
    return answer


def _set(state: State, name: str, crawl: Record, status: str) -> None:
    """The end of a crawl, told to moto, which keeps the crawler."""
    from moto.glue.models import glue_backends

    crawl["ended"] = state.now
    kept = glue_backends[state.account_id][state.region].crawlers.get(name)
    if kept is not None:
        kept.crawls[-1].status = status


def _crawled(state: State, name: str, crawl: Record) -> None:
    crawler = state.moto("glue", "GetCrawler", Name=name)["Crawler"]
    for target in crawler["Targets"].get("S3Targets", []):
        bucket, prefix = place(target["Path"])
        for folder, key in _folders(state, bucket, prefix).items():
            columns = _columns(state, f"s3://{bucket}/{key}")
            if columns:
                _tabled(state, crawler, crawl, f"s3://{bucket}/{folder}", columns)
    _set(state, name, crawl, "COMPLETED")


def _folders(state: State, bucket: str, prefix: str) -> dict[str, str]:
    """Folders below a prefix with files of rows, each with one of them."""
    try:
        found = state.call("s3", "ListObjectsV2", Bucket=bucket, Prefix=prefix)
    except Fault as fault:
        if fault.code == "NoSuchBucket":
            return {}
        raise
    keys = [each["Key"] for each in found.get("Contents", [])]
    rows = [key for key in keys if key.endswith((".csv", ".parquet"))]
    return {key.rpartition("/")[0]: key for key in rows}


_HIVE = {"int64": "bigint", "int32": "int", "double": "double", "float": "float", "bool": "boolean"}


def _columns(state: State, uri: str) -> list[Record]:
    body = read(state, uri) or b""
    if uri.endswith(".csv"):
        header = next(csv.reader(io.StringIO(body[:65536].decode(errors="replace"))), [])
        return [{"Name": name.strip().lower(), "Type": "string"} for name in header if name.strip()]
    import pyarrow.parquet as pq

    schema = pq.read_schema(io.BytesIO(body))
    return [{"Name": field.name, "Type": _HIVE.get(str(field.type), "string")} for field in schema]


def _tabled(
    state: State, crawler: Record, crawl: Record, where: str, columns: list[Record]
) -> None:
    name = f"{crawler.get('TablePrefix') or ''}{where.rpartition('/')[2]}".lower()
    database = crawler["DatabaseName"]
    table: Record = {
        "Name": name.replace("-", "_").replace("=", "_"),
        "TableType": "EXTERNAL_TABLE",
        "StorageDescriptor": {"Columns": columns, "Location": where},
    }
    try:
        state.call("glue", "CreateTable", DatabaseName=database, TableInput=table)
        crawl["created"] += 1
    except Fault as fault:
        if fault.code != "AlreadyExistsException":
            raise
        state.call("glue", "UpdateTable", DatabaseName=database, TableInput=table)
        crawl["updated"] += 1


@operation("glue", "GetCrawlerMetrics")
def get_crawler_metrics(state: State, call: Call) -> dict[str, Any]:
    names = call.params.get("CrawlerNameList") or list(state.table(CRAWLS))
    return page(call, "CrawlerMetricsList", [_metrics(state, name) for name in names], size=100)


def _metrics(state: State, name: str) -> Record:
    crawls = state.table(CRAWLS).get(name, [])
    lengths = [each["ended"] - each["begun"] for each in crawls if each["ended"] is not None]
    running = bool(crawls) and crawls[-1]["ended"] is None
    left = CRAWLING - state.clock.elapsed(crawls[-1]["begun"]) if running else 0.0
    return {
        "CrawlerName": name,
        "TimeLeftSeconds": max(0.0, left),
        "StillEstimating": False,
        "LastRuntimeSeconds": lengths[-1] if lengths else 0.0,
        "MedianRuntimeSeconds": statistics.median(lengths) if lengths else 0.0,
        "TablesCreated": sum(each["created"] for each in crawls),
        "TablesUpdated": sum(each["updated"] for each in crawls),
        "TablesDeleted": 0,
    }


# -- searching


@operation("glue", "SearchTables")
def search_tables(state: State, call: Call) -> dict[str, Any]:
    text = str(call.params.get("SearchText", "")).strip('"').lower()
    filters = {each["Key"]: each["Value"] for each in call.params.get("Filters", [])}
    found: list[Record] = []
    for database in state.moto("glue", "GetDatabases")["DatabaseList"]:
        tables = state.moto("glue", "GetTables", DatabaseName=database["Name"])["TableList"]
        found += [each for each in tables if _matches(each, text, filters)]
    return described(call, page(call, "TableList", found, size=100))


def _matches(table: Record, text: str, filters: dict[str, str]) -> bool:
    names = [column["Name"] for column in table.get("StorageDescriptor", {}).get("Columns", [])]
    words = [table["Name"], table.get("DatabaseName", ""), table.get("Description", ""), *names]
    if text and not any(text in str(word).lower() for word in words):
        return False
    members = {"name": "Name", "databaseName": "DatabaseName"}
    return all(table.get(members.get(key, key)) == value for key, value in filters.items())
