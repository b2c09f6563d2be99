"""What a run was made of (code, environment and content, as hashes that can be compared), and
the graph of what data were made from what."""

from core.lineage._code import CodeState, UntrackedFile, capture_lineage
from core.lineage._content import ContentUnreadable, hash_file, hash_tree
from core.lineage._environment import EnvironmentLock, environment_lock
from core.lineage._graph import Branch, Touched, downstream, touched, upstream
from core.lineage._openlineage import Events, RunTold
from core.lineage._origins import (
    Origin,
    Origins,
    derived,
    origins_from_json,
    origins_in,
    unknown_origins,
)
from core.lineage._redact import redact_secrets, strip_credentials
from core.lineage._sqlcolumns import LineageUnknown, SqlLineage, lineage_of_sql, tables_of

__all__ = [
    "Branch",
    "CodeState",
    "ContentUnreadable",
    "EnvironmentLock",
    "Events",
    "LineageUnknown",
    "Origin",
    "Origins",
    "RunTold",
    "SqlLineage",
    "Touched",
    "UntrackedFile",
    "capture_lineage",
    "derived",
    "downstream",
    "environment_lock",
    "hash_file",
    "hash_tree",
    "lineage_of_sql",
    "origins_from_json",
    "origins_in",
    "redact_secrets",
    "strip_credentials",
    "tables_of",
    "touched",
    "unknown_origins",
    "upstream",
]
