"""CloudFormation templates as layers: read, ordered by what they need of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from core.aws.infra.errors import InfraInvalid

MOST_BYTES = 51_200
"""CloudFormation takes no longer template in a request."""
GIVEN = ("Project", "Environment")
"""Parameters whose values the place says."""
_IAM = "AWS::IAM::"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A template's parameter. `default` is None where a value has to be given."""

    name: str
    default: str | None
    about: str = ""
    choices: tuple[str, ...] = ()
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """One layer: `sources` says of which layer's outputs a parameter comes by itself; `after`
    names layers that are deployed first where both are."""

    layer: str
    body: str
    about: str
    parameters: Mapping[str, Parameter]
    sources: Mapping[str, str]
    after: tuple[str, ...]
    content: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def needs(self) -> tuple[str, ...]:
        """The layers it takes outputs of, in alphabetical order."""
        return tuple(sorted(set(self.sources.values())))

    @property
    def resources(self) -> Mapping[str, Any]:
        """Its resources by logical name, as they stand in the file."""
        found: Mapping[str, Any] = self.content["Resources"]
        return found

    @property
    def capabilities(self) -> list[str]:
        """What CloudFormation wants acknowledged: templates that make roles."""
        makes = any(str(each.get("Type", "")).startswith(_IAM) for each in self.resources.values())
        return ["CAPABILITY_NAMED_IAM"] if makes else []


def templates_of_opsdeck() -> dict[str, Template]:
    """Those that come with Opsdeck, in the order in which they are deployed."""
    package = Path(__file__).parents[2]
    installed = package / "_assets"
    assets = installed if installed.is_dir() else package.parent / "assets"
    return templates_in(assets / "cloudformation")


def templates_in(folder: Path) -> dict[str, Template]:
    """The templates of a folder (`LAYER.yaml`), each after those it needs.

    Raises `InfraInvalid` for a folder without any, for a file that is no template, and where
    layers need each other in a circle.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise InfraInvalid(f"{folder}: holds no template (*.yaml)", "name another with --templates")
    found = {path.stem: _read(path) for path in files}
    for each in found.values():
        for layer in each.after:
            if layer not in found:
                where = f"{folder / each.layer}.yaml Metadata.Opsdeck.After"
                raise InfraInvalid(f"{where}: no layer {layer}", f"layers: {', '.join(found)}")
        for parameter, layer in each.sources.items():
            _check_source(folder, found, each, parameter, layer)
    try:
        graph = {name: (*each.needs, *each.after) for name, each in found.items()}
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise InfraInvalid(f"{folder}: layers need each other: {circle}") from error
    return {name: found[name] for name in order}


def _check_source(
    folder: Path, found: Mapping[str, Template], each: Template, parameter: str, layer: str
) -> None:
    where = f"{folder / each.layer}.yaml Metadata.Opsdeck.From.{parameter}"
    if parameter not in each.parameters:
        raise InfraInvalid(f"{where}: the template has no such parameter")
    if layer not in found:
        raise InfraInvalid(f"{where}: no layer {layer}", f"layers: {', '.join(found)}")
    if parameter not in (found[layer].content.get("Outputs") or {}):
        raise InfraInvalid(f"{where}: {layer} has no output of that name")


def chosen(templates: Mapping[str, Template], names: Sequence[str]) -> list[Template]:
    """The named layers (all without a name) in order; raises `InfraInvalid` for another."""
    import difflib

    for name in names:
        if name not in templates:
            close = difflib.get_close_matches(name, templates, n=1)
            hint = f"did you mean {close[0]}?" if close else f"layers: {', '.join(templates)}"
            raise InfraInvalid(f"{name}: no such layer", hint)
    return [each for name, each in templates.items() if not names or name in names]


def _read(path: Path) -> Template:
    import yaml

    try:
        body = path.read_text(encoding="utf-8")
        content = parse(body)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InfraInvalid(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not isinstance(content.get("Resources"), dict):
        raise InfraInvalid(f"{path}: no template: it has no Resources")
    if len(body.encode()) > MOST_BYTES:
        raise InfraInvalid(
            f"{path}: {len(body.encode()):,} bytes; CloudFormation takes {MOST_BYTES:,} at most",
            "split it in two layers",
        )
    own = (content.get("Metadata") or {}).get("Opsdeck") or {}
    return Template(
        layer=path.stem,
        body=body,
        about=str(content.get("Description") or ""),
        parameters={
            name: _parameter(name, each) for name, each in (content.get("Parameters") or {}).items()
        },
        sources=dict(own.get("From") or {}),
        after=tuple(own.get("After") or ()),
        content=content,
    )


def _parameter(name: str, given: Mapping[str, Any]) -> Parameter:
    default = given.get("Default")
    return Parameter(
        name=name,
        default=None if default is None else str(default),
        about=str(given.get("Description") or ""),
        choices=tuple(str(each) for each in given.get("AllowedValues") or ()),
        secret=str(given.get("NoEcho", "")).lower() == "true",
    )


def parse(body: str) -> Any:
    """A template's text (YAML or JSON) with the short forms (`!Ref`) written out."""
    import yaml

    return yaml.load(body, Loader=_loader())


@lru_cache
def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML as CloudFormation reads it: no dates, and its own tags."""

        yaml_implicit_resolvers = {  # noqa: RUF012 - as the base class has it
            key: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
            for key, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    Loader.add_multi_constructor("!", _short_form)
    return Loader


def _short_form(loader: Any, tag: str, node: Any) -> dict[str, Any]:
    import yaml

    if isinstance(node, yaml.SequenceNode):
        value: Any = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        value = loader.construct_scalar(node)
    if tag in ("Ref", "Condition"):
        return {tag: value}
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{tag}": value}
