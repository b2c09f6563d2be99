"""Feature groups, and what PutRecord writes: an online store, and parquet files offline."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker.common import drop, find, keep, sagemaker_arn, touch, write
from core.simulated.listing import Record, described, epoch, page, select, summaries
from core.simulated.registry import operation
from core.simulated.state import Call, State

TABLE = "sagemaker.feature-groups"
RUNTIME = "sagemaker-featurestore-runtime"
CREATING, DELETING, BUFFERED = 20.0, 15.0, 300.0
DATABASE = "sagemaker_featurestore"


def _group(state: State, name: str) -> Record:
    missing = f"Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name {name}"
    return find(state, TABLE, name, missing, "ResourceNotFound")


@operation("sagemaker", "CreateFeatureGroup")
def create_feature_group(state: State, call: Call) -> dict[str, Any]:
    params = dict(call.params)
    name = str(params["FeatureGroupName"])
    arn = sagemaker_arn(state, "feature-group", name)
    if name in state.table(TABLE):
        raise Fault("ResourceInUse", f"Resource Already Exists: FeatureGroup with name {name}", 400)
    names = [each["FeatureName"] for each in params["FeatureDefinitions"]]
    for key in ("RecordIdentifierFeatureName", "EventTimeFeatureName"):
        if params[key] not in names:
            raise Fault("ValidationException", f"{key} {params[key]} is no feature of the group.")
    record: Record = {**params, "FeatureGroupArn": arn, "FeatureGroupStatus": "Creating"}
    record["_online"], record["_pending"] = {}, []
    keep(state, TABLE, name, arn, record)
    offline = params.get("OfflineStoreConfig")
    if offline:
        _offline(state, record, dict(offline))
    state.after(CREATING, _created, state, record)
    return {"FeatureGroupArn": arn}


def _offline(state: State, record: Record, config: Record) -> None:
    """Where a group's offline store is, and its table in the catalogue."""
    name = record["FeatureGroupName"]
    at = int(state.now)
    root = config["S3StorageConfig"]["S3Uri"].rstrip("/")
    resolved = f"{root}/{state.account_id}/sagemaker/{state.region}/offline-store/{name}-{at}/data"
    config["S3StorageConfig"] = {**config["S3StorageConfig"], "ResolvedOutputS3Uri": resolved}
    config.setdefault("DisableGlueTableCreation", False)
    config.setdefault("TableFormat", "Glue")
    table = f"{name.replace('-', '_').lower()}_{at}"
    config.setdefault(
        "DataCatalogConfig",
        {"TableName": table, "Catalog": "AwsDataCatalog", "Database": DATABASE},
    )
    record["OfflineStoreConfig"] = config
    record["OfflineStoreStatus"] = {"Status": "Active"}
    if not config["DisableGlueTableCreation"]:
        _catalogue(state, record, config)


_HIVE = {"Integral": "bigint", "Fractional": "double", "String": "string"}


def _catalogue(state: State, record: Record, config: Record) -> None:
    catalog = config["DataCatalogConfig"]
    try:
        state.call("glue", "CreateDatabase", DatabaseInput={"Name": catalog["Database"]})
    except Fault as fault:
        if fault.code != "AlreadyExistsException":
            raise
    columns = [
        {"Name": each["FeatureName"], "Type": _HIVE[each["FeatureType"]]}
        for each in record["FeatureDefinitions"]
    ]
    hidden = [("write_time", "timestamp"), ("api_invocation_time", "timestamp")]
    columns += [{"Name": name, "Type": kind} for name, kind in [*hidden, ("is_deleted", "boolean")]]
    state.call(
        "glue",
        "CreateTable",
        DatabaseName=catalog["Database"],
        TableInput={
            "Name": catalog["TableName"],
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"classification": "parquet"},
            "PartitionKeys": [
                {"Name": each, "Type": "string"} for each in ("year", "month", "day", "hour")
            ],
            "StorageDescriptor": {
                "Columns": columns,
                "Location": config["S3StorageConfig"]["ResolvedOutputS3Uri"],
            },
        },
    )


def _created(state: State, record: Record) -> None:
    touch(state, record, FeatureGroupStatus="Created")


@operation("sagemaker", "DescribeFeatureGroup")
def describe_feature_group(state: State, call: Call) -> dict[str, Any]:
    record = _group(state, call.params["FeatureGroupName"])
    size = 64 * len(record["_online"]) * len(record["FeatureDefinitions"])
    return described(call, {**record, "NextToken": "", "OnlineStoreTotalSizeBytes": size})


@operation("sagemaker", "UpdateFeatureGroup")
def update_feature_group(state: State, call: Call) -> dict[str, Any]:
    record = _group(state, call.params["FeatureGroupName"])
    added = [dict(each) for each in call.params.get("FeatureAdditions", [])]
    known = {each["FeatureName"] for each in record["FeatureDefinitions"]}
    for each in added:
        if each["FeatureName"] in known:
            raise Fault("ValidationException", f"The feature {each['FeatureName']} exists.")
    changes: Record = {"LastUpdateStatus": {"Status": "Successful"}}
    if call.params.get("OnlineStoreConfig"):
        changes["OnlineStoreConfig"] = {
            **record.get("OnlineStoreConfig", {}),
            **call.params["OnlineStoreConfig"],
        }
    if call.params.get("ThroughputConfig"):
        changes["ThroughputConfig"] = call.params["ThroughputConfig"]
    touch(state, record, **changes, FeatureDefinitions=[*record["FeatureDefinitions"], *added])
    return {"FeatureGroupArn": record["FeatureGroupArn"]}


@operation("sagemaker", "DeleteFeatureGroup")
def delete_feature_group(state: State, call: Call) -> dict[str, Any]:
    record = _group(state, call.params["FeatureGroupName"])
    touch(state, record, FeatureGroupStatus="Deleting")
    state.after(DELETING, _deleted, state, record)
    return {}


def _deleted(state: State, record: Record) -> None:
    if state.table(TABLE).get(record["FeatureGroupName"]) is record:
        drop(state, TABLE, record["FeatureGroupName"])


@operation("sagemaker", "ListFeatureGroups")
def list_feature_groups(state: State, call: Call) -> dict[str, Any]:
    rows = select(
        call,
        state.table(TABLE).values(),
        name="FeatureGroupName",
        status="FeatureGroupStatus",
        equal={"FeatureGroupStatusEquals": "FeatureGroupStatus"},
    )
    return summaries(call, "FeatureGroupSummaries", rows)


@operation("sagemaker", "DescribeFeatureMetadata", "UpdateFeatureMetadata")
def feature_metadata(state: State, call: Call) -> dict[str, Any]:
    record = _group(state, call.params["FeatureGroupName"])
    name = call.params["FeatureName"]
    feature = next((f for f in record["FeatureDefinitions"] if f["FeatureName"] == name), None)
    if feature is None:
        raise Fault("ResourceNotFound", f"The group has no feature {name}.", 404)
    kept = record.setdefault("_metadata", {}).setdefault(
        name, {"CreationTime": record["CreationTime"], "LastModifiedTime": record["CreationTime"]}
    )
    if call.operation == "DescribeFeatureMetadata":
        return described(call, {**record, **feature, **kept})
    if "Description" in call.params:
        kept["Description"] = call.params["Description"]
    held = {each["Key"]: each for each in kept.get("Parameters", [])}
    held.update({each["Key"]: dict(each) for each in call.params.get("ParameterAdditions", [])})
    for gone in call.params.get("ParameterRemovals", []):
        held.pop(gone, None)
    kept.update(Parameters=list(held.values()), LastModifiedTime=state.now)
    return {}


# -- records


def _ready(state: State, name: str) -> Record:
    record = _group(state, name.rsplit("/", 1)[-1])
    if record["FeatureGroupStatus"] != "Created":
        status = record["FeatureGroupStatus"]
        raise Fault("ValidationError", f"The feature group {name} is in status {status}.", 400)
    return record


def _online(record: Record) -> bool:
    return bool((record.get("OnlineStoreConfig") or {}).get("EnableOnlineStore"))


def _stores(record: Record, wanted: Any) -> set[str]:
    every = {"OnlineStore"} if _online(record) else set()
    every |= {"OfflineStore"} if record.get("OfflineStoreConfig") else set()
    return every & set(wanted) if wanted else every


def _when(text: str) -> float:
    """An event time: seconds, or ISO 8601."""
    try:
        return float(text)
    except ValueError:
        return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@operation(RUNTIME, "PutRecord")
def put_record(state: State, call: Call) -> dict[str, Any]:
    record = _ready(state, call.params["FeatureGroupName"])
    _put(state, record, list(call.params["Record"]), call.params.get("TargetStores"))
    return {}


def _put(state: State, record: Record, values: list[Record], wanted: Any) -> None:
    known = {each["FeatureName"]: each["FeatureType"] for each in record["FeatureDefinitions"]}
    row: dict[str, str] = {}
    for each in values:
        name, text = each["FeatureName"], each.get("ValueAsString")
        if name not in known:
            raise Fault("ValidationError", f"The feature {name} is not in the feature group.", 400)
        if text is not None:
            row[name] = _typed(name, text, known[name])
    for key in ("RecordIdentifierFeatureName", "EventTimeFeatureName"):
        if record[key] not in row:
            raise Fault("ValidationError", f"The record has no value of {record[key]}.", 400)
    identifier, at = row[record["RecordIdentifierFeatureName"]], _event(record, row)
    stores = _stores(record, wanted)
    if "OnlineStore" in stores:
        held = record["_online"].get(identifier)
        if held is None or at >= held["at"]:
            record["_online"][identifier] = {"at": at, "row": row, "deleted": False}
    if "OfflineStore" in stores:
        _buffer(state, record, row, deleted=False)


def _event(record: Record, row: dict[str, str]) -> float:
    text = row[record["EventTimeFeatureName"]]
    try:
        return _when(text)
    except ValueError as error:
        raise Fault("ValidationError", f"{text} is no event time.", 400) from error


def _typed(name: str, text: str, kind: str) -> str:
    try:
        if kind == "Integral":
            int(text)
        elif kind == "Fractional":
            float(text)
    except ValueError as error:
        raise Fault("ValidationError", f"{text} is no {kind} value of {name}.", 400) from error
    return text


def _shown(row: dict[str, str], names: Any) -> list[Record]:
    return [
        {"FeatureName": name, "ValueAsString": value}
        for name, value in row.items()
        if not names or name in names
    ]


@operation(RUNTIME, "GetRecord")
def get_record(state: State, call: Call) -> dict[str, Any]:
    record = _ready(state, call.params["FeatureGroupName"])
    if not _online(record):
        raise Fault("ValidationError", "The feature group has no online store.", 400)
    held = record["_online"].get(call.params["RecordIdentifierValueAsString"])
    if held is None or held["deleted"]:
        return {}
    return {"Record": _shown(held["row"], call.params.get("FeatureNames"))}


@operation(RUNTIME, "BatchGetRecord")
def batch_get_record(state: State, call: Call) -> dict[str, Any]:
    found: list[Record] = []
    errors: list[Record] = []
    for each in call.params["Identifiers"]:
        name = each["FeatureGroupName"]
        for identifier in each["RecordIdentifiersValueAsString"]:
            key = {"FeatureGroupName": name, "RecordIdentifierValueAsString": identifier}
            try:
                held = _ready(state, name)["_online"].get(identifier)
            except Fault as fault:
                errors.append({**key, "ErrorCode": fault.code, "ErrorMessage": fault.message})
                continue
            if held is not None and not held["deleted"]:
                found.append({**key, "Record": _shown(held["row"], each.get("FeatureNames"))})
    return {"Records": found, "Errors": errors, "UnprocessedIdentifiers": []}


@operation(RUNTIME, "BatchWriteRecord")
def batch_write_record(state: State, call: Call) -> dict[str, Any]:
    errors: list[Record] = []
    for each in call.params["Entries"]:
        try:
            group = _ready(state, each["FeatureGroupName"])
            _put(state, group, list(each["Record"]), each.get("TargetStores"))
        except Fault as fault:
            errors.append({"Entry": each, "ErrorCode": fault.code, "ErrorMessage": fault.message})
    return {"Errors": errors, "UnprocessedEntries": []}


@operation(RUNTIME, "DeleteRecord")
def delete_record(state: State, call: Call) -> dict[str, Any]:
    record = _ready(state, call.params["FeatureGroupName"])
    identifier = call.params["RecordIdentifierValueAsString"]
    stores = _stores(record, call.params.get("TargetStores"))
    row = {
        record["RecordIdentifierFeatureName"]: identifier,
        record["EventTimeFeatureName"]: str(call.params["EventTime"]),
    }
    held = record["_online"].get(identifier)
    if "OnlineStore" in stores and held is not None and _event(record, row) >= held["at"]:
        if call.params.get("DeletionMode") == "HardDelete":
            del record["_online"][identifier]
        else:
            held.update(deleted=True, at=_event(record, row))
    if "OfflineStore" in stores:
        _buffer(state, record, row, deleted=True)
    return {}


@operation(RUNTIME, "ListRecords")
def list_records(state: State, call: Call) -> dict[str, Any]:
    record = _ready(state, call.params["FeatureGroupName"])
    all_of_them = call.params.get("IncludeSoftDeletedRecords", False)
    found = [key for key, each in record["_online"].items() if all_of_them or not each["deleted"]]
    return page(call, "RecordIdentifiers", sorted(found), bad_token="ValidationError")


# -- offline


def _buffer(state: State, record: Record, row: dict[str, str], deleted: bool) -> None:
    """Offline records are written together some minutes later."""
    if not record["_pending"]:
        state.after(BUFFERED, _flush, state, record)
    record["_pending"].append({"row": row, "deleted": deleted, "at": state.now})


def _flush(state: State, record: Record) -> None:
    pending, record["_pending"] = record["_pending"], []
    root = record["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]
    at = dt.datetime.fromtimestamp(epoch(state.now), dt.UTC)
    path = f"year={at:%Y}/month={at:%m}/day={at:%d}/hour={at:%H}"
    name = f"{at:%Y%m%dT%H%M%SZ}_{state.unique()}.parquet"
    trouble = write(state, f"{root}/{path}/{name}", _parquet(record, pending))
    if trouble is not None:
        touch(state, record, OfflineStoreStatus={"Status": "Blocked", "BlockedReason": trouble})


def _parquet(record: Record, pending: list[Record]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {
        "Integral": (pa.int64(), int),
        "Fractional": (pa.float64(), float),
        "String": (pa.string(), str),
    }
    columns: dict[str, Any] = {}
    for each in record["FeatureDefinitions"]:
        kind, cast = kinds[each["FeatureType"]]
        texts = [one["row"].get(each["FeatureName"]) for one in pending]
        values = [None if text is None else cast(text) for text in texts]
        columns[each["FeatureName"]] = pa.array(values, kind)
    times = [dt.datetime.fromtimestamp(one["at"], dt.UTC) for one in pending]
    for name in ("write_time", "api_invocation_time"):
        columns[name] = pa.array(times, pa.timestamp("ms", "UTC"))
    columns["is_deleted"] = pa.array([one["deleted"] for one in pending], pa.bool_())
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()
