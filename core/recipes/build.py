"""Making the catalogue anew: what the libraries' signatures and docstrings say, as a table.

Run `python -m core.recipes.build` after a change of a transformation or of a library; a test
compares the table with what this makes.
"""

from __future__ import annotations

import inspect
import json
import math
import numbers
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.domain.recipe import Parameter, Transformation
from core.recipes import estimators, libraries, methods
from core.recipes.catalogue import PATH, catalogue, to_table
from core.recipes.schema import json_schema

_IGNORED = frozenset(
    {
        "n_jobs", "verbose", "copy", "copy_X", "sparse_output", "dtype", "sparse", "memory",
        "categories", "variables", "callback", "metadata_routing", "missing_values", "input",
        "preprocessor", "tokenizer", "analyzer", "token_pattern", "stop_words", "vocabulary",
        "distance_func", "kernel_params", "metric_params", "importance_getter", "dict_init",
        "code_init", "components_init", "initializer", "groups", "confirm_variables",
        "method_params", "compute_inverse_components", "inverse_func", "warm_start",
        "index", "neighbors_algorithm", "priors", "covariance_estimator", "eigen_tol",
        "drop_original", "regressor", "allow_missing",
    }
)  # fmt: skip
_COLUMNS = frozenset({"reference", "features_to_drop", "lat1", "lon1", "lat2", "lon2"})
_SHORT = 110
SCHEMA = Path(__file__).parents[2] / "assets" / "recipe.schema.json"


def build() -> dict[str, Transformation]:
    """Every transformation, ours first; loads all the libraries."""
    from core.recipes.own import definitions

    made = [each.about for each in definitions().values()]
    for family in methods.FAMILIES:
        made += [_method(family, name, dict(use)) for name, use in family.methods.items()]
    made += [_estimator(use, "sklearn", "scikit-learn") for use in estimators.SKLEARN]
    made += [
        _estimator(use, "feature_engine", "feature-engine") for use in estimators.FEATURE_ENGINE
    ]
    table = {each.name: each for each in made}
    if len(table) != len(made):
        names = [each.name for each in made]
        raise ValueError(f"named twice: {sorted({n for n in names if names.count(n) > 1})}")
    return table


def _method(family: methods.Family, name: str, use: dict[str, Any]) -> Transformation:
    import polars as pl

    path = f"{family.prefix}.{name}" if family.prefix in methods.NAMESPACES else name
    method: Any = pl.col("x")
    for part in path.split("."):
        method = getattr(method, part)
    help_of = _parameters_section(inspect.getdoc(method) or "")
    parameters = []
    for parameter in inspect.signature(method).parameters.values():
        if parameter.name in methods.LEFT_OUT or parameter.kind is parameter.VAR_KEYWORD:
            continue
        parameters.append(_polars_parameter(parameter, name, help_of.get(parameter.name, ""), use))
    example: dict[str, Any] = {"columns": family.columns.get(name, family.column)}
    if use:
        example["with"] = use
    return Transformation(
        f"{family.prefix}.{name}",
        family.category,
        "polars",
        _first_sentence(inspect.getdoc(method) or ""),
        family.takes,
        scope=family.scope,
        parameters=tuple(parameters),
        example=example,
        path=path,
    )


def _polars_parameter(
    parameter: inspect.Parameter, method: str, help: str, use: Mapping[str, Any]
) -> Parameter:
    import polars._typing as aliases

    types: list[str] = []
    choices: list[str] = []
    if parameter.name == "by" and method.startswith(("rolling_", "ewm_", "interpolate_")):
        return Parameter("by", "column", help, required=True)
    for part in re.split(r"\s*\|\s*", re.sub(r"\[[^\[\]]*\]", "", str(parameter.annotation))):
        alias = getattr(aliases, part, None)
        literals = [each for each in typing.get_args(alias) if isinstance(each, str)]
        if literals and typing.get_origin(alias) is typing.Literal:
            types.append("text")
            choices += literals
        elif part in ("bool", "int", "float", "str", "str_", "None"):
            types.append(
                {"bool": "flag", "int": "integer", "float": "number", "None": "null"}.get(
                    part, "text"
                )
            )
        elif part.startswith(("Sequence", "Collection", "Iterable", "list", "list_")):
            types.append("list")
        elif part.startswith("Mapping"):
            types.append("mapping")
        elif part in ("NumericLiteral",):
            types.append("number")
        elif part in ("Any", "IntoExpr"):
            types.append("any")
    if method in ("to_date", "to_datetime", "to_time", "to_integer") and parameter.name == "strict":
        types = ["flag"]
    given = use.get(parameter.name)
    if isinstance(given, list) and "any" not in types and "list" not in types:
        types.append("list")
    empty = parameter.default is parameter.empty
    default = (
        None if empty or "no_default" in repr(parameter.default).lower() else parameter.default
    )
    if default is None and not empty and "null" not in types:
        types.append("null")
    return Parameter(
        parameter.name,
        _joined(types),
        help,
        _plain(default),
        empty,
        tuple(choices) if set(types) <= {"text", "null"} else (),
    )


def _estimator(use: estimators.Use, prefix: str, library: str) -> Transformation:
    name = use.path.partition(":")[2]
    cls = libraries._class(use.path)
    doc = inspect.getdoc(cls) or ""
    help_of = _parameters_section(doc)
    constraints = getattr(cls, "_parameter_constraints", {})
    parameters = []
    for parameter in inspect.signature(cls).parameters.values():
        if parameter.name in _IGNORED or parameter.kind in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            continue
        help = help_of.get(parameter.name, "")
        found = _estimator_parameter(parameter, constraints.get(parameter.name), help, use)
        if found is not None:
            parameters.append(found)
    example: dict[str, Any] = {"columns": list(use.columns)} if use.columns else {}
    if use.params:
        example["with"] = dict(use.params)
    return Transformation(
        f"{prefix}.{name}",
        use.category,
        library,
        _first_sentence(doc),
        use.takes,
        use.arity if use.columns else "frame",
        fitted=True,
        rows=use.rows,
        scope=use.scope,
        target=use.target,
        parameters=tuple(parameters),
        example=example,
        path=use.path,
    )


def _estimator_parameter(
    parameter: inspect.Parameter, constraints: Any, help: str, use: estimators.Use
) -> Parameter | None:
    name, default = parameter.name, parameter.default
    empty = default is parameter.empty
    if name == "random_state":
        return Parameter(name, "integer", "Seed of whatever is random.", 0, False, (), 0, 2**32 - 1)
    if name == "estimator":
        return Parameter(name, "text", "The model that judges.", None, True, libraries.ESTIMATORS)
    if name == "score_func":
        return Parameter(
            name, "text", "What a column is judged by.", "f_classif", False, libraries.SCORES
        )
    if name in _COLUMNS:
        kind = "columns" if name in ("reference", "features_to_drop") else "column"
        return Parameter(name, kind, help, None, empty or name in use.params)
    if callable(default) and not isinstance(default, type):
        return None
    read = _sklearn_types if constraints is not None else _annotated_types
    types, choices, least, most = read(constraints if constraints is not None else parameter)
    if not types:
        return None
    plain = None if empty else _plain(default)
    if plain is None and not empty and "null" not in types:
        types.append("null")
    return Parameter(name, _joined(types), help, plain, empty, tuple(sorted(choices)), least, most)


_Found = tuple[list[str], list[str], float | None, float | None]


def _sklearn_types(constraints: Any) -> _Found:
    """What scikit-learn itself checks a parameter against."""
    if constraints == "no_validation":
        return [], [], None, None
    types: list[str] = []
    choices: list[str] = []
    bounds: list[tuple[float | None, float | None]] = []
    for each in constraints:
        kind = type(each).__name__
        if kind == "Interval":
            types.append("integer" if "Integral" in each.type.__name__ else "number")
            bounds.append((_bound(each.left), _bound(each.right)))
        elif kind in ("StrOptions", "Options"):
            words = [str(word) for word in each.options if isinstance(word, str)]
            deprecated: set[str] = getattr(each, "deprecated", set())
            choices += [word for word in words if word not in deprecated]
            types += ["text"] if words else []
            if any(isinstance(o, int) and not isinstance(o, bool) for o in each.options):
                types.append("integer")
        elif each == "boolean" or each is bool:
            types.append("flag")
        elif each is None:
            types.append("null")
        elif each in ("array-like", list, tuple) or each is list or each is tuple:
            types.append("list")
        elif each is dict or each == "dict":
            types.append("mapping")
        elif each is str:
            types.append("text")
        elif each in (numbers.Real, numbers.Integral):
            types.append("number" if each is numbers.Real else "integer")
        elif each == "cv_object":
            types += ["integer", "null"]
        elif each is int or each is float:
            types.append("integer" if each is int else "number")
    if "text" in types and not choices:
        choices = []
    single = bounds[0] if len(bounds) == 1 else (None, None)
    only = [each for each in types if each not in ("null",)]
    if set(only) - {"integer", "number"} - {"text"}:
        single = (None, None)
    return types, choices, single[0], single[1]


def _annotated_types(parameter: Any) -> _Found:
    """What an annotation of feature-engine says; without one, what the default is."""
    text = str(parameter.annotation)
    if parameter.annotation is parameter.empty:
        text = type(parameter.default).__name__
    types: list[str] = []
    literal = re.findall(r"Literal\[([^\]]*)\]", text)
    choices = re.findall(r"'([^']*)'", ",".join(literal))
    bare = re.sub(r"Literal\[[^\]]*\]", "text" if choices else "", text)
    for word, kind in (
        ("bool", "flag"), ("int", "integer"), ("float", "number"), ("str", "text"),
        ("text", "text"), ("List", "list"), ("list", "list"), ("tuple", "list"), ("Tuple", "list"),
        ("Dict", "mapping"), ("dict", "mapping"), ("None", "null"), ("Any", "any"),
    ):  # fmt: skip
        if re.search(rf"\b{word}\b", bare):
            types.append(kind)
    return types, choices if types.count("text") == 1 and "str" not in bare else [], None, None


def _bound(value: Any) -> float | None:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return float(value) if float(value) != int(value) else int(value)


def _joined(types: list[str]) -> str:
    order = (
        "flag",
        "integer",
        "number",
        "text",
        "list",
        "mapping",
        "column",
        "columns",
        "any",
        "null",
    )
    kept = [each for each in order if each in types]
    if "any" in kept:
        kept = [each for each in kept if each in ("any", "null")]
    if "number" in kept and "integer" in kept:
        kept.remove("integer")  # a whole number is a number
    return "|".join(kept) or "any"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return value if isinstance(value, (list, dict)) else None


def _first_sentence(doc: str) -> str:
    paragraph = doc.strip().split("\n\n")[0]
    return _sentence(paragraph)


def _sentence(text: str) -> str:
    flat = re.sub(r":\w+:`~?([^`<]+?)(?:\s*<[^`]*>)?`", r"\1", " ".join(text.split()))
    flat = flat.replace("``", "").replace("`", "").replace("**", "")
    sentence = re.split(r"(?<=[^.]\w[.)])\s+(?=[A-Z(])|(?<=\.)\s+(?=[A-Z])", flat, maxsplit=1)[0]
    sentence = sentence.rstrip(".") + "." if sentence else ""
    return sentence if len(sentence) <= _SHORT else sentence[: _SHORT - 1].rsplit(" ", 1)[0] + " …"


def _with_values(about: str) -> str:
    """The first sentence, and the one after it where that lists what may be given."""
    first = _sentence(about)
    flat = " ".join(about.split())
    values = re.search(r"(?:Can be|It can be|Can take|Takes|Possible values)[^.]*'[^.]*\.", flat)
    if values is None or values[0] in first or first.endswith("…"):
        return first
    return f"{first} {values[0].replace('**', '').replace('`', '')}"


def _parameters_section(doc: str) -> dict[str, str]:
    """The first sentence about each parameter in a docstring of numpy's style."""
    match = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}|\Z)", doc, re.S | re.M)
    if match is None:
        return {}
    found: dict[str, str] = {}
    names: list[str] = []
    lines: list[str] = []

    def close() -> None:
        about = " ".join(lines).strip()
        for name in names:
            found[name] = _with_values(about)

    in_type = False
    for line in match[1].splitlines():
        if in_type and line.startswith(" "):  # the type goes on over several lines
            in_type = "default=" not in line and ("}" not in line or line.endswith(","))
            continue
        head = re.match(r"^(\w[\w, ]*?)\s*(?::.*)?$", line)
        if head and not line.startswith(" "):
            close()
            names, lines = [each.strip() for each in head[1].split(",")], []
            in_type = line.count("{") > line.count("}") or line.rstrip().endswith(",")
        elif line.strip():
            if lines is not None and not (lines and lines[-1] == ""):
                lines.append(line.strip())
        elif lines:
            lines.append("")  # the first paragraph has ended
    close()
    return found


def main() -> None:
    """Write the catalogue beside this module, and the schema for editors."""
    PATH.write_text(to_table(build()), encoding="utf-8")
    catalogue.cache_clear()
    SCHEMA.write_text(json.dumps(json_schema(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
