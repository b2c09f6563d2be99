"""The kinds `firehose`, `redshift` and `fsx`: streams into the lake, warehouses, Lustre."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.errors import AwsFault, ResourceNotFound
from core.aws.kind import Chart, Column, Detail, Field, Item, Kind, Line, Section, Verb
from core.aws.kinds.shared import found, needed
from core.aws.metrics import Metric, several
from core.aws.partial import section, side_by_side, tried
from core.aws.rows import row_lines
from core.aws.words import clock, epoch, size, tone
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

LOOK_BACK = 6 * 3600.0
ANSWER_SECONDS = 60.0
_DESTINATIONS = (
    "ExtendedS3DestinationDescription", "S3DestinationDescription",
    "RedshiftDestinationDescription", "AmazonopensearchserviceDestinationDescription",
    "IcebergDestinationDescription",
    "SplunkDestinationDescription", "HttpEndpointDestinationDescription",
    "SnowflakeDestinationDescription",
)  # fmt: skip


def _streams(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    start = ""
    while True:
        more = {"ExclusiveStartDeliveryStreamName": start} if start else {}
        page = account.call("firehose", "list_delivery_streams", Limit=25, **more)
        names = page.get("DeliveryStreamNames", ())
        yield tuple(side_by_side([_reading(account, name) for name in names]))
        if not page.get("HasMoreDeliveryStreams") or not names:
            return
        start = names[-1]


def _reading(account: Account, name: str) -> Any:
    return lambda: _stream_item(_stream(account, name))


def _stream(account: Account, name: str) -> Mapping[str, Any]:
    told = account.call("firehose", "describe_delivery_stream", DeliveryStreamName=name)
    return dict(told["DeliveryStreamDescription"])


def _destination(stream: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    for each in stream.get("Destinations", ()):
        for key in _DESTINATIONS:
            if each.get(key):
                return key.removesuffix("DestinationDescription"), each[key]
    return "", {}


def _stream_item(stream: Mapping[str, Any]) -> Item:
    state = stream.get("DeliveryStreamStatus", "")
    kind, into = _destination(stream)
    where = into.get("BucketARN", "").replace("arn:aws:s3:::", "s3://") or kind
    return Item(
        id=stream["DeliveryStreamName"],
        cells=(stream["DeliveryStreamName"], state, stream.get("DeliveryStreamType", ""), where),
        tone=tone(state),
        changed=epoch(stream.get("LastUpdateTimestamp") or stream.get("CreateTimestamp")),
        raw=stream,
    )


def _show_stream(account: Account, name: str) -> Detail:
    stream = _stream(account, name)
    kind, into = _destination(stream)
    wait = into.get("BufferingHints") or {}
    secret = stream.get("DeliveryStreamEncryptionConfiguration") or {}
    state = stream.get("DeliveryStreamStatus", "")
    lines: tuple[Line, ...] = (
        ("status", state, tone(state)),
        ("from", stream.get("DeliveryStreamType", "")),
        ("into", f"{kind} {into.get('BucketARN', '')} {into.get('Prefix', '')}".strip()),
        *found("written after", f"{wait.get('SizeInMBs')} MB or {wait.get('IntervalInSeconds')} s"
               if wait else ""),
        *found("compressed", into.get("CompressionFormat")),
        ("encrypted", secret.get("Status", "DISABLED"),
         "" if secret.get("Status") == "ENABLED" else "wait"),
        ("role", into.get("RoleARN", "")),
    )  # fmt: skip
    none: tuple[Chart, ...] = ()
    charts, why = tried(lambda: _stream_charts(account, name), none)
    extra = (Section("Charts", (("", why, "bad"),)),) if why else ()
    item = _stream_item(stream)
    return Detail(name, item.tone, (Section("Stream", lines), *extra), charts, item, stream)


def _stream_charts(account: Account, name: str) -> tuple[Chart, ...]:
    now = time.time()
    of = {"DeliveryStreamName": name}
    wanted = {
        "records in": Metric("AWS/Firehose", "IncomingRecords", "Sum", of),
        "age of the oldest": Metric("AWS/Firehose", "DeliveryToS3.DataFreshness", "Maximum", of),
    }
    points = several(account, wanted, 300, now - LOOK_BACK, now)
    return (
        Chart("Records", "in 5 min", {"in": points["records in"]}),
        Chart("Age of the oldest record", "s", {"age": points["age of the oldest"]}),
    )


def _put(account: Account, name: str, values: Mapping[str, str]) -> str:
    data = needed(values, "record").encode() + b"\n"
    told = account.call("firehose", "put_record", DeliveryStreamName=name, Record={"Data": data})
    return f"{name}: record {told['RecordId'][:12]}… of {len(data)} bytes was put"


FIREHOSE = Kind(
    name="firehose",
    title="Firehose",
    service="firehose",
    about="Data Firehose: streams into the lake",
    columns=(
        Column("STREAM", 24, grow=1),
        Column("STATUS", 10),
        Column("FROM", 12, drop=2),
        Column("INTO", 20, grow=2, drop=1),
    ),
    list=_streams,
    show=_show_stream,
    operations=(
        "firehose:ListDeliveryStreams", "firehose:DescribeDeliveryStream",
        "cloudwatch:GetMetricData",
    ),
    verbs=(
        Verb(
            name="put", key="u", label="Put", help="put one record, to see where it arrives",
            operations=("firehose:PutRecord",), do=_put,
            consequence=lambda _account, name, values: (
                f"a record goes through {name} into its destination, and stays there",
            ),
            fields=(Field("record", "text of the record", required=True),), dangerous=True,
        ),
    ),
    every=15.0,
)  # fmt: skip


def _clusters(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages("redshift", "describe_clusters"):
        yield tuple(_cluster_item(each) for each in page.get("Clusters", ()))


def _cluster_item(cluster: Mapping[str, Any]) -> Item:
    state = cluster.get("ClusterStatus", "")
    shown = {"available": "ok", "paused": "dim"}.get(state, "run")
    return Item(
        id=cluster["ClusterIdentifier"],
        cells=(
            cluster["ClusterIdentifier"],
            state,
            f"{cluster.get('NumberOfNodes', 1)} × {cluster.get('NodeType', '')}",
            cluster.get("DBName", ""),
        ),
        tone=shown,
        changed=epoch(cluster.get("ClusterCreateTime")),
        raw={**cluster, "state": state},
    )


def _cluster(account: Account, name: str) -> Mapping[str, Any]:
    told = account.call("redshift", "describe_clusters", ClusterIdentifier=name)
    for each in told.get("Clusters", ()):
        return dict(each)
    raise ResourceNotFound(f"there is no cluster {name}")


def _show_cluster(account: Account, name: str) -> Detail:
    cluster = _cluster(account, name)
    item = _cluster_item(cluster)
    address = cluster.get("Endpoint") or {}
    lines: tuple[Line, ...] = (
        ("status", item.cells[1], item.tone),
        ("nodes", item.cells[2]),
        ("database", cluster.get("DBName", "")),
        *found("address", f"{address.get('Address')}:{address.get('Port')}" if address else ""),
        ("encrypted", "yes" if cluster.get("Encrypted") else "no",
         "" if cluster.get("Encrypted") else "bad"),
        ("public", "yes" if cluster.get("PubliclyAccessible") else "no",
         "bad" if cluster.get("PubliclyAccessible") else ""),
        *found("maintained", cluster.get("PreferredMaintenanceWindow")),
        ("created", clock(cluster.get("ClusterCreateTime"))),
    )  # fmt: skip
    return Detail(name, item.tone, (Section("Cluster", lines),), item=item, raw=cluster)


def reading(sql: str) -> str:
    """One statement that only reads, without its semicolon; raises `BadInput` for others."""
    import sqlglot
    from sqlglot import exp

    try:
        parsed = [each for each in sqlglot.parse(sql, read="redshift") if each is not None]
    except sqlglot.errors.SqlglotError as error:
        raise BadInput(f"sql: {str(error).splitlines()[0]}", "write one statement") from error
    changing = (exp.Insert, exp.Update, exp.Delete, exp.Into, exp.Create, exp.Command)
    if len(parsed) != 1 or not isinstance(parsed[0], exp.Query) or parsed[0].find(*changing):
        raise BadInput("sql: one statement that reads", "for example select … limit 50")
    return sql.strip().rstrip(";")


def _query(account: Account, name: str, values: Mapping[str, str]) -> str:
    """Rows of one reading statement, through the Data API; waits up to a minute."""
    sql = reading(needed(values, "sql"))
    cluster = _cluster(account, name)
    begun = account.call(
        "redshift-data", "execute_statement", ClusterIdentifier=name, Sql=sql,
        Database=values.get("database") or cluster.get("DBName", ""),
        DbUser=values.get("user") or cluster.get("MasterUsername", ""),
    )["Id"]  # fmt: skip
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        told = account.call("redshift-data", "describe_statement", Id=begun)
        if told["Status"] == "FINISHED":
            break
        if told["Status"] in ("FAILED", "ABORTED"):
            raise AwsFault(
                f"{name}: {told.get('Error') or told['Status']}", "look at the statement"
            )
        if time.monotonic() > deadline:
            account.call("redshift-data", "cancel_statement", Id=begun)
            raise AwsFault(f"{name}: no answer within a minute: it was cancelled", "ask for less")
        time.sleep(0.4)
    if not told.get("HasResultSet"):
        return "no rows"
    page = account.call("redshift-data", "get_statement_result", Id=begun)
    names = [each.get("label") or each["name"] for each in page.get("ColumnMetadata", ())]
    rows = [
        dict(zip(names, (next(iter(cell.values()), "") for cell in row), strict=True))
        for row in page.get("Records", ())
    ]
    return "\n".join(row_lines(rows, most=200))


def _switching(word: str, from_: str, what: str) -> Verb:
    def do(account: Account, name: str, _values: Mapping[str, str]) -> str:
        account.call("redshift", f"{word}_cluster", ClusterIdentifier=name)
        return f"{name}: {word} was asked for"

    def blocked(item: Item) -> str | None:
        state = item.raw.get("state", "")
        return None if state == from_ else f"it is {state}"

    return Verb(
        name=word, key="x" if word == "pause" else "u", label=word.capitalize(), help=what,
        operations=(f"redshift:{word.capitalize()}Cluster",), do=do,
        consequence=lambda _account, name, _values: (f"{name}: {what}",),
        dangerous=word == "pause", blocked=blocked,
    )  # fmt: skip


REDSHIFT = Kind(
    name="redshift",
    title="Redshift",
    service="redshift",
    about="warehouses",
    columns=(
        Column("CLUSTER", 22, grow=1),
        Column("STATUS", 12),
        Column("NODES", 18, drop=1),
        Column("DATABASE", 14, drop=2),
    ),
    list=_clusters,
    show=_show_cluster,
    operations=("redshift:DescribeClusters",),
    verbs=(
        Verb(
            name="query", key="s", label="Query", help="one statement that reads",
            operations=(
                "redshift-data:ExecuteStatement", "redshift-data:DescribeStatement",
                "redshift-data:GetStatementResult", "redshift-data:CancelStatement",
                "redshift:GetClusterCredentials",
            ),
            do=_query,
            consequence=lambda _account, name, values: (
                f"asks {name}: {values.get('sql', '')}", "the statement reads only",
            ),
            fields=(
                Field("sql", "statement", "select 1", required=True),
                Field("database", "database (default: the cluster's)"),
                Field("user", "database user (default: the master's)"),
            ),
        ),
        _switching("pause", "available", "nobody can query it; storage is still paid"),
        _switching("resume", "paused", "it can be queried again in some minutes, and is paid"),
    ),
    every=15.0,
)  # fmt: skip


def _systems(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages("fsx", "describe_file_systems"):
        yield tuple(_system_item(each) for each in page.get("FileSystems", ()))


def _system_item(system: Mapping[str, Any]) -> Item:
    state = system.get("Lifecycle", "")
    return Item(
        id=system["FileSystemId"],
        cells=(
            system["FileSystemId"],
            state,
            system.get("FileSystemType", ""),
            f"{system.get('StorageCapacity', '?')} GiB",
            (system.get("LustreConfiguration") or {}).get("DeploymentType", ""),
        ),
        tone={"AVAILABLE": "ok", "FAILED": "bad", "MISCONFIGURED": "wait"}.get(state, "run"),
        changed=epoch(system.get("CreationTime")),
        raw={**system, "state": state},
    )


def _show_system(account: Account, id: str) -> Detail:
    told = account.call("fsx", "describe_file_systems", FileSystemIds=[id])
    if not told.get("FileSystems"):
        raise ResourceNotFound(f"there is no file system {id}")
    system = told["FileSystems"][0]
    lustre = system.get("LustreConfiguration") or {}
    source = lustre.get("DataRepositoryConfiguration") or {}
    item = _system_item(system)
    lines: tuple[Line, ...] = (
        ("status", item.cells[1], item.tone),
        ("type", f"{system.get('FileSystemType', '')} {lustre.get('DeploymentType', '')}".strip()),
        ("capacity", f"{system.get('StorageCapacity')} GiB {system.get('StorageType', '')}"),
        *found("throughput", f"{lustre['PerUnitStorageThroughput']} MB/s a TiB"
               if lustre.get("PerUnitStorageThroughput") else ""),
        *found("mount", f"{system.get('DNSName')}/{lustre.get('MountName', '')}"),
        *found("imports from", source.get("ImportPath")),
        *found("exports to", source.get("ExportPath")),
        ("key", system.get("KmsKeyId", "a key of AWS")),
        *((("why", system["FailureDetails"].get("Message", ""), "bad"),)
          if system.get("FailureDetails") else ()),
    )  # fmt: skip
    tasks = section("Tasks with its data on S3", lambda: _tasks(account, id))
    return Detail(id, item.tone, (Section("File system", lines), tasks), item=item, raw=system)


def _tasks(account: Account, id: str) -> Section:
    told = account.call(
        "fsx",
        "describe_data_repository_tasks",
        Filters=[{"Name": "file-system-id", "Values": [id]}],
    )
    lines = tuple(
        (clock(each.get("CreationTime")),
         f"{each.get('Type')} {each.get('Lifecycle')} "
         f"{size((each.get('Status') or {}).get('ReleasedCapacity'))}".strip(),
         tone(each.get("Lifecycle", "")))
        for each in told.get("DataRepositoryTasks", ())
    )  # fmt: skip
    return Section("Tasks with its data on S3", lines or ("none",))


def _export(account: Account, id: str, values: Mapping[str, str]) -> str:
    paths = [each.strip() for each in values.get("paths", "").split(",") if each.strip()]
    told = account.call(
        "fsx", "create_data_repository_task", Type="EXPORT_TO_REPOSITORY", FileSystemId=id,
        Paths=paths, Report={"Enabled": False},
    )  # fmt: skip
    return f"{id}: task {told['DataRepositoryTask']['TaskId']} exports to S3"


FSX = Kind(
    name="fsx",
    title="FSx",
    service="fsx",
    about="Lustre file systems for training data",
    columns=(
        Column("FILE SYSTEM", 22),
        Column("STATUS", 12),
        Column("TYPE", 8, drop=2),
        Column("SIZE", 10, align="right"),
        Column("", 14, grow=1, drop=1),
    ),
    list=_systems,
    show=_show_system,
    operations=("fsx:DescribeFileSystems", "fsx:DescribeDataRepositoryTasks"),
    verbs=(
        Verb(
            name="export", key="u", label="Export", help="write changed files back to S3",
            operations=("fsx:CreateDataRepositoryTask",), do=_export,
            consequence=lambda _account, id, values: (
                f"{values.get('paths') or 'everything that has changed'} of {id} is written to S3",
                "files of the same name there are replaced",
            ),
            fields=(Field("paths", "paths (default: all)"),), dangerous=True,
        ),
    ),
    every=20.0,
)  # fmt: skip
