"""Contexts: the AWS accounts and regions that a person can look at, by name.

They stand in `contexts.yaml` of the person's configuration folder (`OPSDECK_CONFIG_DIR`, else
`$XDG_CONFIG_HOME/opsdeck`, else `~/.config/opsdeck`). A profile of `~/.aws/config` is a context
without being written down: `aws:PROFILE` or `aws:PROFILE/REGION`.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.errors import BadInput, ConfigInvalid

FILE_NAME = "contexts.yaml"
PREFIX = "aws:"
_KEYS = (
    "profile", "region", "role_arn", "external_id", "endpoint_url", "environment", "read_only",
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d")
_ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/\S+")


@dataclass(frozen=True, slots=True)
class AwsContext:
    """An AWS account and region, as somebody reaches it. Empty texts are the SDK's defaults.

    `environment` is the badge; `endpoint_url` is of a simulated account or a private endpoint.
    """

    name: str
    profile: str = ""
    region: str = ""
    role_arn: str = ""
    external_id: str = ""
    endpoint_url: str = ""
    environment: str = "aws"
    read_only: bool = False


def config_dir() -> Path:
    """Where a person's own configuration is."""
    named = os.environ.get("OPSDECK_CONFIG_DIR")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "opsdeck"


def contexts_file() -> Path:
    """The file of the contexts."""
    return config_dir() / FILE_NAME


def contexts() -> list[AwsContext]:
    """Those written down, then the profiles of `~/.aws/config`; raises `ConfigInvalid`."""
    written = _written()
    told = {each.profile for each in written if each.profile}
    return written + [
        AwsContext(f"{PREFIX}{profile}", profile=profile)
        for profile in _profiles()
        if profile not in told
    ]


def find_context(name: str, region: str = "") -> AwsContext:
    """The context of this name; `region` goes before its own. Raises `BadInput`."""
    found = next((each for each in _written() if each.name == name), None)
    if found is None and name.startswith(PREFIX):
        profile, _, wanted = name.removeprefix(PREFIX).partition("/")
        if wanted and not _REGION.fullmatch(wanted):
            raise BadInput(f"--context {name}: {wanted} is no region", "write aws:PROFILE/REGION")
        found = AwsContext(name, profile=profile, region=wanted)
    if found is None:
        known = [each.name for each in contexts()]
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else "opsdeck contexts list shows them"
        raise BadInput(f"--context {name}: no such context", hint)
    if region and not _REGION.fullmatch(region):
        raise BadInput(f"--region {region}: is no region", "for example: --region eu-west-1")
    return replace(found, region=region) if region else found


def add_context(context: AwsContext) -> Path:
    """Write a context down, in place of one of the same name; returns the file."""
    path = contexts_file()
    config = _config(path)
    entry = _entry(context)
    _checked(path, context.name, entry)
    _write(path, {**config, context.name: entry})
    return path


def remove_context(name: str) -> Path:
    """Take a written context away; raises `BadInput` where there is none."""
    path = contexts_file()
    config = _config(path)
    if name not in config:
        raise BadInput(f"{name}: is not in {path}", "opsdeck contexts list shows them")
    del config[name]
    _write(path, config)
    return path


def _entry(context: AwsContext) -> dict[str, Any]:
    values = {key: getattr(context, key) for key in _KEYS}
    return {key: value for key, value in values.items() if value}


def _write(path: Path, config: Mapping[str, Any]) -> None:
    import yaml

    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(yaml.safe_dump({"contexts": dict(config)}, sort_keys=False), "utf-8")
    fresh.replace(path)


def _config(path: Path) -> dict[str, Any]:
    import yaml

    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigInvalid(f"{path}: cannot be read: {error}", "look at its rights") from error
    try:
        read = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" line {where.line + 1}" if where else ""
        raise ConfigInvalid(f"{path}:{line} is not YAML", "mend it, or move it away") from error
    found = read.get("contexts", {}) if isinstance(read, dict) else None
    if not isinstance(found, dict):
        raise ConfigInvalid(f"{path}: contexts: must be a mapping", "contexts: {NAME: {region: …}}")
    return found


def _written() -> list[AwsContext]:
    path = contexts_file()
    return [_checked(path, str(name), entry) for name, entry in _config(path).items()]


def _checked(path: Path, name: str, entry: Any) -> AwsContext:
    def wrong(what: str, hint: str) -> ConfigInvalid:
        return ConfigInvalid(f"{path}: contexts.{name}{what}", hint)

    if not _NAME.fullmatch(name):
        raise wrong(": is no name", "letters, digits, '.', '_' and '-'")
    if not isinstance(entry, dict):
        raise wrong(": must be a mapping", f"for example: {name}: {{region: eu-west-1}}")
    for key, value in entry.items():
        if key not in _KEYS:
            close = difflib.get_close_matches(str(key), _KEYS, n=1)
            raise wrong(
                f".{key}: is no key", f"did you mean {close[0]}?" if close else ", ".join(_KEYS)
            )
        wanted = bool if key == "read_only" else str
        if not isinstance(value, wanted):
            raise wrong(f".{key}: must be {'true or false' if wanted is bool else 'text'}", "")
    if entry.get("region") and not _REGION.fullmatch(entry["region"]):
        raise wrong(f".region: {entry['region']} is no region", "for example: eu-west-1")
    if entry.get("role_arn") and not _ROLE.fullmatch(entry["role_arn"]):
        raise wrong(".role_arn: is no role's ARN", "arn:aws:iam::123456789012:role/NAME")
    return AwsContext(name, **entry)


def _profiles() -> list[str]:
    """The profiles of the SDK's files, without importing the SDK."""
    import configparser

    found: list[str] = []
    for variable, default, prefix in (
        ("AWS_CONFIG_FILE", "config", "profile "),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", ""),
    ):
        path = Path(os.environ.get(variable) or Path.home() / ".aws" / default).expanduser()
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, "utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue  # the SDK says what is wrong with it once a profile of it is used
        for section in parser.sections():
            name = section.removeprefix(prefix) if prefix else section
            named = section == "default" or section.startswith(prefix)
            if named and name not in found:
                found.append(name)
    return found
