"""What a run was made of: code, environment and content, as hashes that can be compared."""

from core.lineage._code import CodeState, UntrackedFile, capture_lineage
from core.lineage._content import ContentUnreadable, hash_file, hash_tree
from core.lineage._environment import EnvironmentLock, environment_lock
from core.lineage._redact import redact_secrets, strip_credentials

__all__ = [
    "CodeState",
    "ContentUnreadable",
    "EnvironmentLock",
    "UntrackedFile",
    "capture_lineage",
    "environment_lock",
    "hash_file",
    "hash_tree",
    "redact_secrets",
    "strip_credentials",
]
