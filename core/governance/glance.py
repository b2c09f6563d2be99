"""What an actor sees of a dataset, as far as the state's rows tell: for screens and lists.

Reading itself goes through `core.governance.access`, which knows the columns' types, too: a
mask that does not fit a type shows less there than it is called here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from core.domain.governance import CLEAR
from core.governance.access import Access, open_access
from core.governance.policy import Lens, label_mask, row_conditions, tags_of
from core.session import Session


@dataclass(frozen=True, slots=True)
class Glance:
    """`masks` maps each column to how it is shown (`hash`, `partial:4`, `not shown`), where
    that is not as it is; `rows` is the condition of the rows that are seen, empty for all;
    `why` says in a word or two what the right to read comes from."""

    read: bool
    write: bool
    manage: bool
    why: str
    masks: dict[str, str] = field(default_factory=dict)
    rows: str = ""

    @property
    def all(self) -> bool:
        """Whether every row and column is seen as it is."""
        return self.read and not self.masks and not self.rows


def glance(session: Session, dataset: str, columns: Sequence[str]) -> Glance:
    """What the session's actor sees now of a dataset with these columns."""
    access = open_access(session)
    found = access.standing(dataset)
    if not found.read:
        return Glance(False, found.write, found.manage, found.why)
    if found.sees_all:
        return Glance(True, found.write, found.manage, found.why)
    conditions = row_conditions(found.lenses) or ()
    return Glance(
        True,
        found.write,
        found.manage,
        found.why,
        _masks(access, found.lenses, dataset, columns),
        " OR ".join(f"({text})" if len(conditions) > 1 else text for text in conditions),
    )


def _masks(
    access: Access, lenses: tuple[Lens, ...], dataset: str, columns: Sequence[str]
) -> dict[str, str]:
    tags = tags_of(access.policy(dataset), tuple(columns))
    shown = {}
    for column in columns:
        labelled = label_mask(tags[column], access.config.label_masks)
        masks = [lens.mask(column, labelled) for lens in lenses]
        if CLEAR in masks and all(lens.condition is None for lens in lenses):
            continue
        words = dict.fromkeys(str(mask) for mask in masks if mask is not None)
        if list(words) != ["clear"]:
            shown[column] = " or ".join(words) or "not shown"
    return shown
