"""Strict checks of parameters and answers against botocore's service models.

botocore itself checks what is required, unknown or mistyped; it does not check enums,
patterns and upper bounds, which AWS refuses with a ValidationException. Both are here.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.validate import ParamValidator

from core.simulated.faults import Fault

_JAVA = {
    r"\p{L}": r"a-zA-ZÀ-ɏͰ-῿Ⰰ-퟿",
    r"\p{M}": r"̀-ͯ",
    r"\p{N}": r"0-9²³¹¼-¾",
    r"\p{Z}": r"\s",
    r"\p{S}": r"$+<=>^`|~",
    r"\p{P}": r"!-#%-*,-/:;?@\[-\]_{}",
    r"\p{Alnum}": "a-zA-Z0-9",
    r"\p{Alpha}": "a-zA-Z",
    r"\p{Digit}": "0-9",
    r"\p{ASCII}": r"\x00-\x7f",
    r"\p{Graph}": r"!-~",
    r"\p{Print}": r" -~",
}
# Past this many characters a pattern is not tried: some of them backtrack for ever.
LONGEST_MATCHED = 20_000


@functools.cache
def _pattern(text: str) -> re.Pattern[str] | None:
    """The pattern as Python has it; None for one that only Java can read."""
    if r"\P{" in text:
        return None
    # Java writes what is beyond 16 bits as pairs of surrogates, and the end as \\z.
    translated = text.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")
    translated = translated.replace(r"\z", r"\Z")
    for java, ours in _JAVA.items():
        translated = re.sub(
            r"\[([^\]]*)" + re.escape(java),
            lambda found, ours=ours: f"[{found[1]}{ours}",  # type: ignore[misc]
            translated,
        )
        translated = translated.replace(java, f"[{ours}]") if java in translated else translated
    if r"\p{" in translated:
        return None
    translated = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: f"\\u{found[1]}", translated)
    try:
        return re.compile(translated)
    except re.error:
        return None


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def constraints(value: Any, shape: Any, path: str = "") -> Iterator[str]:
    """What AWS would refuse of `value`, in its words: enums, patterns and bounds."""
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_document_type", False) or not isinstance(value, Mapping):
            return
        for name, inner in value.items():
            member = shape.members.get(name)
            if member is not None and inner is not None:
                yield from constraints(inner, member, f"{path}.{_lower(name)}".lstrip("."))
    elif kind == "list" and isinstance(value, (list, tuple)):
        yield from _bounds(len(value), shape, path, value, "length")
        for number, inner in enumerate(value, 1):
            yield from constraints(inner, shape.member, f"{path}.{number}.member")
    elif kind == "map" and isinstance(value, Mapping):
        yield from _bounds(len(value), shape, path, value, "length")
        for key, inner in value.items():
            yield from constraints(key, shape.key, f"{path}.key")
            yield from constraints(inner, shape.value, f"{path}.{key}.member")
    elif kind == "string" and isinstance(value, str):
        yield from _text(value, shape, path)
    elif kind in ("integer", "long", "float", "double") and isinstance(value, (int, float)):
        yield from _bounds(value, shape, path, value, "value")


def _said(value: Any, path: str, must: str) -> str:
    shown = value if len(str(value)) <= 200 else str(value)[:200] + "…"
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: Member must {must}"


def _bounds(size: float, shape: Any, path: str, value: Any, what: str) -> Iterator[str]:
    metadata = shape.metadata
    have = "have length " if what == "length" else "have value "
    if metadata.get("min") is not None and size < metadata["min"]:
        yield _said(value, path, f"{have}greater than or equal to {metadata['min']}")
    if metadata.get("max") is not None and size > metadata["max"]:
        yield _said(value, path, f"{have}less than or equal to {metadata['max']}")


def _text(value: str, shape: Any, path: str) -> Iterator[str]:
    enum = getattr(shape, "enum", None)
    if enum and value not in enum:
        yield _said(value, path, f"satisfy enum value set: [{', '.join(enum)}]")
    yield from _bounds(len(value), shape, path, value, "length")
    text = shape.metadata.get("pattern")
    if text and len(value) <= LONGEST_MATCHED:
        pattern = _pattern(text)
        if pattern is not None and not pattern.fullmatch(value):
            yield _said(value, path, f"satisfy regular expression pattern: {text}")


def check_input(params: Mapping[str, Any], operation: Any) -> None:
    """Raise the ValidationException that AWS answers bad parameters with."""
    shape = operation.input_shape
    if shape is None:
        return
    report = ParamValidator().validate(params, shape)
    found = [
        _said("null", path, "not be null") if kind == "missing required field" else text
        for kind, path, text in _reported(report)
    ]
    found += [text for text in constraints(params, shape) if text not in found]
    if found:
        count = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected: "
        code = _code(operation)
        raise Fault(code, count + "; ".join(found), 400)


def _code(operation: Any) -> str:
    protocol = operation.service_model.metadata["protocol"]
    return "ValidationError" if protocol in ("query", "ec2") else "ValidationException"


def _reported(report: Any) -> Iterator[tuple[str, str, str]]:
    for kind, name, extra in report._errors:
        path = name.lstrip(".")
        if kind == "missing required field":
            path = f"{path}.{extra['required_name']}".lstrip(".")
            yield kind, ".".join(_lower(part) for part in path.split(".")), ""
        elif kind in ("invalid range", "invalid length"):
            continue  # said by `constraints`, in AWS's words
        else:
            yield kind, path, report._format_error((kind, name, extra))


def check_output(answer: Mapping[str, Any], operation: Any) -> None:
    """Raise an InternalFailure naming the operation if a handler's answer fits no shape."""
    shape = operation.output_shape
    if shape is None:
        if answer:
            _misfit(operation, f"has no output, but the handler answered {sorted(answer)}")
        return
    report = ParamValidator().validate(answer, shape)
    found = [
        f"{report._format_error(error)}"
        for error in report._errors
        if error[0] not in ("invalid range", "invalid length")
    ]
    found += [text for text in constraints(answer, shape) if "enum value set" in text]
    if found:
        _misfit(operation, "; ".join(found))


def _misfit(operation: Any, text: str) -> None:
    service = operation.service_model.service_name
    raise Fault("SimulationError", f"{service}:{operation.name} answered wrongly: {text}", 599)
