"""Where the values of a template's parameters come from."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.aws.infra.errors import InfraInvalid
from core.aws.infra.place import Place
from core.aws.infra.stacks import USABLE, Stack
from core.aws.infra.template import GIVEN, Template

FILES = "definitions"
"""Where in the artifact bucket files go that a parameter names."""
FILES_FROM = ("storage", "ArtifactBucket")
_UNKNOWN = "****"


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody gave: for every layer, for one layer (`LAYER.KEY=VALUE`), and files."""

    everywhere: Mapping[str, str] = field(default_factory=dict)
    of_layer: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)

    def of(self, template: Template) -> dict[str, str]:
        """The values given for a layer; a file's is where it will be put, by its content."""
        found = {n: v for n, v in self.everywhere.items() if n in template.parameters}
        found.update(self.of_layer.get(template.layer, {}))
        for name, path in self.files.items():
            if name in template.parameters:
                found[name] = key_of(path)
        return found


@dataclass(frozen=True, slots=True)
class Values:
    """A layer's values: those known, those kept as they are, those that are missing.

    `request` is what CloudFormation gets; `waits` names layers whose outputs are not there yet.
    """

    known: Mapping[str, str]
    request: Sequence[Mapping[str, object]]
    missing: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()


def read_given(
    pairs: Sequence[str], files: Sequence[str], templates: Mapping[str, Template]
) -> Given:
    """`KEY=VALUE`, `LAYER.KEY=VALUE` and `KEY=FILE`; raises `InfraInvalid` for unknown ones."""
    everywhere: dict[str, str] = {}
    of_layer: dict[str, dict[str, str]] = {}
    for pair in pairs:
        name, found, value = pair.partition("=")
        if not found or not name:
            raise InfraInvalid(f"--parameters {pair}: not KEY=VALUE", "or LAYER.KEY=VALUE")
        layer, dotted, key = name.rpartition(".")
        _check(f"--parameters {pair}", key, layer if dotted else "", templates)
        target = of_layer.setdefault(layer, {}) if dotted else everywhere
        if key in target:
            raise InfraInvalid(f"--parameters {name}: given twice")
        target[key] = value
    paths: dict[str, Path] = {}
    for pair in files:
        name, found, value = pair.partition("=")
        if not found or not value:
            raise InfraInvalid(f"--file {pair}: not KEY=FILE")
        _check(f"--file {pair}", name, "", templates)
        paths[name] = Path(value)
        if not paths[name].is_file():
            raise InfraInvalid(f"--file {pair}: no such file")
    return Given(everywhere, of_layer, paths)


def _check(what: str, key: str, layer: str, templates: Mapping[str, Template]) -> None:
    if layer and layer not in templates:
        raise InfraInvalid(f"{what}: no layer {layer}", f"layers: {', '.join(templates)}")
    among = [templates[layer]] if layer else list(templates.values())
    known = sorted({name for each in among for name in each.parameters} - set(GIVEN))
    if key in GIVEN:
        raise InfraInvalid(f"{what}: {key} is said by the context", f"use --{key.lower()}")
    if key not in known:
        close = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"parameters: {', '.join(known)}"
        raise InfraInvalid(f"{what}: no such parameter", hint)


def resolve(template: Template, place: Place, given: Given, stacks: Mapping[str, Stack]) -> Values:
    """The values of a layer, by what is given, what earlier layers tell, what it has, defaults.

    `stacks` are those there are, by layer. Raises `InfraInvalid` for a value not among the choices.
    """
    mine = stacks.get(template.layer)
    had = mine.parameters if mine is not None and mine.status in USABLE else {}
    told = {"Project": place.project, "Environment": place.environment} | given.of(template)
    known: dict[str, str] = {}
    request: list[Mapping[str, object]] = []
    missing, waits = [], []
    for name, parameter in template.parameters.items():
        source = stacks.get(template.sources.get(name, ""))
        if name in told:
            known[name] = told[name]
        elif source is not None and name in source.outputs:
            known[name] = source.outputs[name]
        elif name in had:
            known[name] = had[name]
            request.append({"ParameterKey": name, "UsePreviousValue": True})
            continue
        elif parameter.default is not None:
            known[name] = parameter.default
            continue
        elif name in template.sources:
            waits.append(template.sources[name])
            continue
        else:
            missing.append(name)
            continue
        if parameter.choices and known[name] not in parameter.choices:
            among = ", ".join(parameter.choices)
            raise InfraInvalid(f"{template.layer}.{name}={known[name]}: not one of {among}")
        request.append({"ParameterKey": name, "ParameterValue": known[name]})
    return Values(known, request, tuple(missing), tuple(dict.fromkeys(waits)))


def key_of(path: Path) -> str:
    """Where a file goes in the bucket: by its content, so that another content is a change."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{FILES}/{digest[:32]}{path.suffix}"


def comparable(values: Mapping[str, str], place: Place) -> dict[str, str]:
    """Values, and the pseudo parameters of the place, to put into a template for reading."""
    pseudo = {
        "AWS::AccountId": place.account_id,
        "AWS::Region": place.region,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
    }
    return pseudo | {name: value for name, value in values.items() if value != _UNKNOWN}
