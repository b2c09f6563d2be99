"""Who may read, write and manage which dataset, and how its columns and rows are shown.

`core.governance.access` is the one read path. Importing this package is cheap.
"""

from core.governance.access import Access, open_access
from core.governance.errors import MaskKeyUnusable, PolicyBroken, PolicyInvalid, Refused

__all__ = [
    "Access",
    "MaskKeyUnusable",
    "PolicyBroken",
    "PolicyInvalid",
    "Refused",
    "open_access",
]
