"""The kinds of Glue's catalogue: `glue-databases`, `glue-tables`, `crawlers`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.errors import BadRequest
from core.aws.kind import Column, Detail, Item, Kind, Line, Section, Verb
from core.aws.kinds.data.heads import files_below, head
from core.aws.kinds.shared import found, only_in
from core.aws.partial import section
from core.aws.words import clock, epoch, short, span, tone
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

MOST_COLUMNS = 300
MOST_PARTITIONS = 20


def _databases(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages("glue", "get_databases"):
        yield tuple(
            Item(
                id=each["Name"],
                cells=(
                    each["Name"],
                    short(each.get("Description", "")),
                    each.get("LocationUri", ""),
                ),
                changed=epoch(each.get("CreateTime")),
                raw=each,
            )
            for each in page.get("DatabaseList", ())
        )


def _database(account: Account, name: str) -> Detail:
    told = account.call("glue", "get_database", Name=name)["Database"]
    default = [
        f"{each['Principal'].get('DataLakePrincipalIdentifier')}: {', '.join(each['Permissions'])}"
        for each in told.get("CreateTableDefaultPermissions", ())
    ]
    lines: tuple[Line, ...] = (
        ("name", name),
        *found("about", told.get("Description")),
        *found("where", told.get("LocationUri")),
        *found("created", clock(told.get("CreateTime"))),
        *(("new tables", each) for each in default),
    )
    item = Item(name, (name, "", ""), changed=epoch(told.get("CreateTime")))
    return Detail(name, sections=(Section("Database", lines),), item=item, raw=told)


def table_id(database: str, name: str) -> str:
    """A table's id: DATABASE.TABLE (a database's name has no point)."""
    return f"{database}.{name}"


def parted(id: str) -> tuple[str, str]:
    """Database and table of an id; raises `BadInput`."""
    database, point, name = id.partition(".")
    if not point or not name:
        raise BadInput(f"{id}: is no table", "write DATABASE.TABLE")
    return database, name


def _tables(account: Account, database: str) -> Iterator[Sequence[Item]]:
    if not database:
        for page in account.pages("glue", "search_tables"):
            yield tuple(_table_item(each) for each in page.get("TableList", ()))
        return
    for page in account.pages("glue", "get_tables", DatabaseName=database):
        yield tuple(_table_item(each) for each in page.get("TableList", ()))


def _table_item(table: Mapping[str, Any]) -> Item:
    store = table.get("StorageDescriptor") or {}
    return Item(
        id=table_id(table["DatabaseName"], table["Name"]),
        cells=(
            table["Name"],
            table["DatabaseName"],
            _format(table),
            str(len(store.get("Columns", ())) + len(table.get("PartitionKeys", ()))),
            store.get("Location", ""),
        ),
        changed=epoch(table.get("UpdateTime") or table.get("CreateTime")),
        raw=table,
    )


def _format(table: Mapping[str, Any]) -> str:
    parameters = table.get("Parameters") or {}
    if parameters.get("table_type", "").upper() == "ICEBERG":
        return "iceberg"
    known = parameters.get("classification")
    if known:
        return str(known)
    reader = (table.get("StorageDescriptor") or {}).get("InputFormat", "")
    for word in ("parquet", "orc", "avro", "json", "text"):
        if word in reader.lower():
            return word
    return str(table.get("TableType", "")).lower()


def _table(account: Account, id: str) -> Detail:
    database, name = parted(id)
    table = account.call("glue", "get_table", DatabaseName=database, Name=name)["Table"]
    store = table.get("StorageDescriptor") or {}
    parameters = table.get("Parameters") or {}
    about: tuple[Line, ...] = (
        ("table", id),
        ("format", _format(table)),
        *found("where", store.get("Location")),
        *found("about", table.get("Description")),
        *found("owner", table.get("Owner")),
        *found("rows, as crawled", parameters.get("recordCount")),
        *found("newest metadata", parameters.get("metadata_location")),
        (
            "governed by Lake Formation",
            "yes" if table.get("IsRegisteredWithLakeFormation") else "no",
        ),
        *found("changed", clock(table.get("UpdateTime"))),
        *found("version", table.get("VersionId")),
    )
    sections = [Section("Table", about), Section("Columns", _columns(table))]
    if table.get("PartitionKeys"):
        sections.append(section("Partitions", lambda: _partitions(account, database, name)))
    location = str(store.get("Location") or "")
    if location.startswith("s3://"):
        sections.append(section("First rows", lambda: _rows(account, location)))
    return Detail(id, sections=tuple(sections), item=_table_item(table), raw=table)


def _columns(table: Mapping[str, Any]) -> tuple[Line, ...]:
    columns = (table.get("StorageDescriptor") or {}).get("Columns", ())
    keys = table.get("PartitionKeys", ())
    lines: list[Line] = [
        (each["Name"], f"{each.get('Type', '')}{note}  {each.get('Comment', '')}".rstrip())
        for part, note in ((columns, ""), (keys, "  (partition)"))
        for each in part
    ]
    left = len(lines) - MOST_COLUMNS
    return (*lines[:MOST_COLUMNS], f"… and {left} more") if left > 0 else tuple(lines)


def _partitions(account: Account, database: str, name: str) -> Section:
    page = next(
        account.pages(
            "glue", "get_partitions", DatabaseName=database, TableName=name,
            PaginationConfig={"PageSize": MOST_PARTITIONS}, ExcludeColumnSchema=True,
        )
    )  # fmt: skip
    lines = tuple(
        ("/".join(each["Values"]), clock(each.get("CreationTime")))
        for each in page.get("Partitions", ())
    )
    more = ("… and more",) if page.get("NextToken") else ()
    return Section("Partitions", (*lines, *more) or ("none",))


def _rows(account: Account, location: str) -> Section:
    """The head of the newest file of data below the table's place."""
    for each in files_below(account, location):
        if not each["Key"].endswith((".metadata.json", ".avro", ".crc")):
            lines = head(account, each["Uri"], int(each["Size"]))
            return Section(f"First rows of {each['Key'].rsplit('/', 1)[-1]}", lines)
    raise BadRequest(f"{location}: no file of data is there")


def _crawlers(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages("glue", "get_crawlers"):
        yield tuple(_crawler_item(each) for each in page.get("Crawlers", ()))


def _crawler_item(crawler: Mapping[str, Any]) -> Item:
    last = crawler.get("LastCrawl") or {}
    state = crawler.get("State", "")
    told = last.get("Status", "never ran")
    return Item(
        id=crawler["Name"],
        cells=(
            crawler["Name"],
            state,
            told,
            crawler.get("DatabaseName", ""),
            short(last.get("ErrorMessage", "")),
        ),
        tone="run" if state != "READY" else tone(told) if last else "dim",
        changed=epoch(last.get("StartTime") or crawler.get("LastUpdated")),
        raw={**crawler, "state": state},
    )


def _crawler(account: Account, name: str) -> Detail:
    told = account.call("glue", "get_crawler", Name=name)["Crawler"]
    last = told.get("LastCrawl") or {}
    schedule = told.get("Schedule") or {}
    targets = told.get("Targets") or {}
    lines: tuple[Line, ...] = (
        ("state", told.get("State", ""), "run" if told.get("State") != "READY" else ""),
        ("into", f"{told.get('DatabaseName', '')} {told.get('TablePrefix', '')}".strip()),
        *(("reads", each["Path"]) for each in targets.get("S3Targets", ())),
        *(("reads", f"{each.get('ConnectionName')}: {each.get('Path')}") for each in
          targets.get("JdbcTargets", ())),
        *found("schedule", f"{schedule.get('ScheduleExpression')} {schedule.get('State', '')}"
               if schedule else ""),
        ("role", told.get("Role", "")),
        *found("last", f"{last.get('Status')} at {clock(last.get('StartTime'))}" if last else ""),
        *((("why", last["ErrorMessage"], "bad"),) if last.get("ErrorMessage") else ()),
    )  # fmt: skip
    counts = section("Last crawl", lambda: _counts(account, name))
    item = _crawler_item(told)
    return Detail(name, item.tone, (Section("Crawler", lines), counts), item=item, raw=told)


def _counts(account: Account, name: str) -> Section:
    told = account.call("glue", "get_crawler_metrics", CrawlerNameList=[name])
    for each in told.get("CrawlerMetricsList", ()):
        return Section(
            "Last crawl",
            (
                ("tables made", str(each.get("TablesCreated", 0))),
                ("tables changed", str(each.get("TablesUpdated", 0))),
                ("tables gone", str(each.get("TablesDeleted", 0))),
                ("took", span(each.get("LastRuntimeSeconds"))),
            ),
        )
    return Section("Last crawl", ("it has not run",))


def _start(account: Account, name: str, _values: Mapping[str, str]) -> str:
    account.call("glue", "start_crawler", Name=name)
    return f"{name} is crawling"


def _start_consequence(account: Account, name: str, _values: Mapping[str, str]) -> tuple[str, ...]:
    told = account.call("glue", "get_crawler", Name=name)["Crawler"]
    policy = told.get("SchemaChangePolicy") or {}
    targets = (told.get("Targets") or {}).get("S3Targets", ())
    reads = ", ".join(each["Path"] for each in targets) or "its targets"
    changed = policy.get("UpdateBehavior", "UPDATE_IN_DATABASE").lower()
    gone = policy.get("DeleteBehavior", "").lower() or "as its policy says"
    return (
        f"reads {reads} and changes tables of {told.get('DatabaseName')}",
        f"a changed schema: {changed}; a table without files: {gone}",
    )


def _stop(account: Account, name: str, _values: Mapping[str, str]) -> str:
    account.call("glue", "stop_crawler", Name=name)
    return f"{name} is being stopped"


DATABASES = Kind(
    name="glue-databases",
    title="Databases",
    service="glue",
    about="Glue's catalogue",
    columns=(
        Column("DATABASE", 24, grow=1),
        Column("ABOUT", 20, grow=2),
        Column("WHERE", 20, grow=1, drop=1),
    ),
    list=_databases,
    show=_database,
    operations=("glue:GetDatabases", "glue:GetDatabase"),
    child="glue-tables",
    every=30.0,
)  # fmt: skip
TABLES = Kind(
    name="glue-tables",
    title="Tables",
    service="glue",
    about="tables of the catalogue: columns, partitions, first rows",
    columns=(
        Column("TABLE", 24, grow=1),
        Column("DATABASE", 16, drop=2),
        Column("FORMAT", 9),
        Column("COLS", 5, align="right", drop=3),
        Column("WHERE", 20, grow=2, drop=1),
    ),
    list=_tables,
    show=_table,
    operations=(
        "glue:GetTables", "glue:GetTable", "glue:SearchTables", "glue:GetPartitions",
        "s3:ListBucket", "s3:GetObject",
    ),
    parent="glue-databases",
    every=30.0,
)  # fmt: skip
CRAWLERS = Kind(
    name="crawlers",
    title="Crawlers",
    service="glue",
    about="what looks for tables in files",
    columns=(
        Column("CRAWLER", 24, grow=1),
        Column("STATE", 9),
        Column("LAST", 10),
        Column("DATABASE", 16, drop=1),
        Column("WHY", 12, grow=2, drop=2),
    ),
    list=_crawlers,
    show=_crawler,
    operations=("glue:GetCrawlers", "glue:GetCrawler", "glue:GetCrawlerMetrics"),
    verbs=(
        Verb(
            name="start", key="s", label="Crawl", help="look for tables now",
            operations=("glue:StartCrawler",), do=_start, consequence=_start_consequence,
            blocked=only_in("READY"),
        ),
        Verb(
            name="stop", key="x", label="Stop", help="stop the crawl",
            operations=("glue:StopCrawler",), do=_stop,
            consequence=lambda _account, name, _values: (
                f"{name} stops; tables that it has changed stay changed",
            ),
            dangerous=True, blocked=only_in("RUNNING"),
        ),
    ),
    every=10.0,
)  # fmt: skip
