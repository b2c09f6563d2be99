"""What `lake:` in opsdeck.yaml says about governance: admins, groups, what labels mask."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.domain.governance import EVERYBODY, GROUP, Mask
from core.errors import ConfigInvalid, OpsdeckError
from core.workspace import CONFIG_NAME, Workspace

LABEL_MASKS: Mapping[str, Mask] = {"pii": Mask("hash"), "secret": Mask("null")}
"""How columns with these labels are shown unless the file or a grant says otherwise."""


@dataclass(frozen=True, slots=True)
class GovernanceConfig:
    """`admins` may do everything with every dataset; `groups` maps a group to its members;
    `label_masks` a label to the mask of the columns that carry it; `key_file` holds the key of
    the hashes."""

    admins: frozenset[str]
    groups: Mapping[str, frozenset[str]]
    label_masks: Mapping[str, Mask]
    key_file: Path
    key_file_named: bool = False
    members: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def principals(self, actor: str) -> frozenset[str]:
        """Every principal that the actor is: the name, its groups, everybody."""
        if actor.startswith(GROUP):  # nobody becomes a group by calling themselves so
            return frozenset({EVERYBODY})
        return frozenset({actor, EVERYBODY}) | self.members.get(actor, frozenset())

    def is_admin(self, actor: str) -> bool:
        """Whether the actor, or a group of theirs, is among the admins."""
        return bool(self.admins & (self.principals(actor) - {EVERYBODY}))


def governance_config(workspace: Workspace) -> GovernanceConfig:
    """The workspace's; raises `ConfigInvalid`, naming file and key."""
    path, raw = workspace.root / CONFIG_NAME, workspace.lake
    groups = _groups(path, raw.get("groups"))
    members: dict[str, set[str]] = {}
    for group, names in groups.items():
        for name in names:
            members.setdefault(name, set()).add(GROUP + group)
    named = raw.get("mask_key_file")
    if named is not None and (not isinstance(named, str) or not named.strip()):
        raise ConfigInvalid(f"{path}: lake.mask_key_file: must be the path of a file")
    file = Path(os.path.expandvars(named)).expanduser() if named else None
    return GovernanceConfig(
        admins=_names(path, "admins", raw.get("admins"), groups),
        groups=groups,
        label_masks=_labels(path, raw.get("masks")),
        key_file=workspace.root / file if file else workspace.state_dir / "mask.key",
        key_file_named=file is not None,
        members={name: frozenset(those) for name, those in members.items()},
    )


def _names(
    path: Path, key: str, given: Any, groups: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """A list of names; `group:NAME` is allowed where `groups` are given to look it up in."""
    listed = [] if given is None else given
    if not isinstance(listed, list) or not all(isinstance(name, str) and name for name in listed):
        raise ConfigInvalid(f"{path}: lake.{key}: must be a list of names", "like [ann, bob]")
    for name in listed:
        if name == EVERYBODY:
            raise ConfigInvalid(f"{path}: lake.{key}: {EVERYBODY!r} is nobody's name")
        if name.startswith(GROUP) and name.removeprefix(GROUP) not in groups:
            raise ConfigInvalid(f"{path}: lake.{key}: no group {name.removeprefix(GROUP)!r}")
    return frozenset(listed)


def _groups(path: Path, given: Any) -> dict[str, frozenset[str]]:
    groups = {} if given is None else given
    if not isinstance(groups, Mapping):
        raise ConfigInvalid(f"{path}: lake.groups: must be a mapping", "{analysts: [ann, bob]}")
    return {str(name): _names(path, f"groups.{name}", those, {}) for name, those in groups.items()}


def _labels(path: Path, given: Any) -> dict[str, Mask]:
    from core.governance.masks import parse_mask

    labels = {} if given is None else given
    if not isinstance(labels, Mapping):
        raise ConfigInvalid(f"{path}: lake.masks: must be a mapping", "like {pii: redact}")
    masks = dict(LABEL_MASKS)
    for label, mask in labels.items():
        try:
            masks[str(label)] = parse_mask("null" if mask is None else str(mask))
        except OpsdeckError as error:
            raise ConfigInvalid(
                f"{path}: lake.masks.{label}: {error.message}", error.hint
            ) from error
    return masks
