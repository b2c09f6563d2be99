"""Texts: standardising, reading numbers and flags out of them, measuring them."""

from __future__ import annotations

import hashlib
from typing import Any

import polars as pl

from core.recipes.operation import EachColumn
from core.recipes.own.define import Section, choice, flag, text, whole

section = Section("text")

_TRUE = ["1", "t", "true", "y", "yes", "on", "ja", "oui", "si", "sí"]
_FALSE = ["0", "f", "false", "n", "no", "off", "nein", "non"]
_MARKS = r"\p{Mn}"


def _standardise(
    column: pl.Expr, *, case: str, accents: str, punctuation: str, empty: str
) -> pl.Expr:
    made = column.str.normalize("NFKC")
    if accents == "remove":
        made = _without_accents(made)
    if punctuation == "remove":
        made = made.str.replace_all(r"[\p{P}\p{S}]+", " ")
    made = made.str.replace_all(r"\s+", " ").str.strip_chars()
    made = {
        "lower": made.str.to_lowercase,
        "upper": made.str.to_uppercase,
        "title": made.str.to_titlecase,
    }.get(case, lambda: made)()
    return pl.when(made == "").then(None).otherwise(made) if empty == "missing" else made


def _without_accents(column: pl.Expr) -> pl.Expr:
    return column.str.normalize("NFKD").str.replace_all(_MARKS, "").str.normalize("NFC")


def _number(column: pl.Expr, *, decimal: str, percent: bool) -> pl.Expr:
    thousands = "." if decimal == "comma" else ","
    kept = column.str.extract(r"([-+−]?\s*[0-9][0-9.,\s']*)", 1)
    kept = kept.str.replace_all(r"[\s']", "").str.replace_all("−", "-", literal=True)
    kept = kept.str.replace_all(thousands, "", literal=True)
    if decimal == "comma":
        kept = kept.str.replace_all(",", ".", literal=True)
    value = kept.str.strip_chars_end(".").cast(pl.Float64, strict=False)
    if not percent:
        return value
    return pl.when(column.str.contains("%", literal=True)).then(value / 100).otherwise(value)


def _flag(column: pl.Expr) -> pl.Expr:
    word = column.str.strip_chars().str.to_lowercase()
    return pl.when(word.is_in(_TRUE)).then(True).when(word.is_in(_FALSE)).then(False)


def _mask(column: pl.Expr, *, keep: int, character: str) -> pl.Expr:
    length = column.str.len_chars()
    hidden = pl.lit(character).repeat_by((length - keep).clip(0)).list.join("")
    return hidden + column.str.tail(keep)


def _digest(value: Any, salt: str, length: int) -> str | None:
    if value is None:
        return None
    return hashlib.blake2b(f"{salt}\x1f{value}".encode(), digest_size=32).hexdigest()[:length]


def _pseudonym(column: pl.Expr, *, salt: str, length: int) -> pl.Expr:
    """Not Polars' hash, whose values may change with its version."""
    return column.cast(pl.String).map_batches(
        lambda series: pl.Series(
            series.name, [_digest(each, salt, length) for each in series], dtype=pl.String
        ),
        return_dtype=pl.String,
        is_elementwise=True,
    )


def _share(pattern: str) -> EachColumn:
    def make(column: pl.Expr) -> pl.Expr:
        length = column.str.len_chars()
        return pl.when(length > 0).then(column.str.count_matches(pattern) / length).otherwise(0.0)

    return EachColumn(make, "{column}_share")


section.add(
    "standardise_text", "Trim, fold spaces and case, optionally without accents and punctuation.",
    EachColumn(_standardise),
    choice("case", "Letters.", "lower", "upper", "title", "keep"),
    choice("accents", "Accents.", "keep", "remove"),
    choice("punctuation", "Punctuation and symbols.", "keep", "remove"),
    choice("empty", "What an empty text becomes.", "missing", "keep"),
    takes="text", columns="note", punctuation="remove",
)  # fmt: skip
section.add(
    "remove_accents", "Letters without their accents: é becomes e.", EachColumn(_without_accents),
    takes="text", columns="untidy",
)  # fmt: skip
section.add(
    "squeeze_spaces", "Runs of white space as one space, none at the ends.",
    EachColumn(lambda c: c.str.replace_all(r"\s+", " ").str.strip_chars()),
    takes="text", columns="note",
)  # fmt: skip
section.add(
    "parse_number", "The number in a text with currency, units, thousands or per cent.",
    EachColumn(_number),
    choice("decimal", "The decimal sign.", "point", "comma"),
    flag("percent", "Divide what bears a per cent sign by 100.", True),
    takes="text", columns="messy_number", decimal="comma",
)  # fmt: skip
section.add(
    "parse_flag", "yes/no, true/false, 1/0, on/off as a flag; missing for anything else.",
    EachColumn(_flag), takes="text", columns="yes_no",
)  # fmt: skip
section.add(
    "word_count", "How many words.",
    EachColumn(lambda c: c.str.count_matches(r"\S+"), "{column}_words"), takes="text",
        columns="note",
)  # fmt: skip
section.add(
    "average_word_length", "The mean length of its words.",
    EachColumn(lambda c: c.str.extract_all(r"\w+").list.eval(pl.element().str.len_chars())
        .list.mean(), "{column}_word_length"),
    takes="text", columns="note",
)  # fmt: skip
section.add(
    "sentence_count", "How many sentences.",
    EachColumn(lambda c: c.str.count_matches(r"[.!?]+"), "{column}_sentences"),
    takes="text", columns="note",
)  # fmt: skip
section.add("digit_share", "The share of digits.", _share("[0-9]"), takes="text", columns="note")
section.add(
    "upper_share", "The share of capitals.", _share(r"\p{Lu}"), takes="text", columns="note"
)
section.add(
    "punctuation_share", "The share of punctuation.", _share(r"\p{P}"), takes="text", columns="note"
)
section.add(
    "remove_digits", "Without digits.", EachColumn(lambda c: c.str.replace_all("[0-9]+", "")),
    takes="text", columns="note",
)  # fmt: skip
section.add(
    "remove_punctuation", "Without punctuation and symbols.",
    EachColumn(lambda c: c.str.replace_all(r"[\p{P}\p{S}]+", "")), takes="text", columns="note",
)  # fmt: skip
section.add(
    "slug", "Lower case words joined by hyphens.",
    EachColumn(lambda c: _without_accents(c).str.to_lowercase()
        .str.replace_all("[^a-z0-9]+", "-").str.strip_chars("-")), takes="text", columns="note",
)  # fmt: skip
section.add(
    "first_word", "The first word.",
    EachColumn(lambda c: c.str.extract(r"(\S+)", 1), "{column}_first"), takes="text",
        columns="note",
)  # fmt: skip
section.add(
    "last_word", "The last word.",
    EachColumn(lambda c: c.str.extract(r"(\S+)\s*$", 1), "{column}_last"),
    takes="text", columns="note",
)  # fmt: skip
section.add(
    "email_domain", "What follows the @ of an address.",
    EachColumn(lambda c: c.str.extract(r"@([^@\s>]+)", 1).str.to_lowercase(), "{column}_domain"),
    takes="text", columns="address",
)  # fmt: skip
section.add(
    "url_host", "The host of a URL.",
    EachColumn(lambda c: c.str.extract(r"^[a-zA-Z][\w+.-]*://(?:[^@/]*@)?([^:/?#]+)", 1)
        .str.to_lowercase(), "{column}_host"), takes="text", columns="url",
)  # fmt: skip
section.add(
    "url_path", "The path of a URL.",
    EachColumn(lambda c: c.str.extract(r"^[a-zA-Z][\w+.-]*://[^/?#]*([^?#]*)", 1), "{column}_path"),
    takes="text", columns="url",
)  # fmt: skip
section.add(
    "mask_text", "All but the last characters hidden.", EachColumn(_mask),
    whole("keep", "How many stay.", 4, 0, 1000), text("character", "What hides.", "*"),
    takes="text", columns="address", keep=3,
)  # fmt: skip
section.add(
    "pseudonym", "A keyed digest in place of the value: the same value, the same digest.",
    EachColumn(_pseudonym),
    text("salt", "What keeps others from trying values; the same gives the same digests."),
    whole("length", "Characters of the digest.", 16, 4, 64),
    columns="address", salt="example",
)  # fmt: skip
section.add(
    "words", "The words of a text as a list.",
    EachColumn(lambda c: c.str.to_lowercase().str.extract_all(r"\w+"), "{column}_words"),
    takes="text", columns="note",
)  # fmt: skip
section.add(
    "contains_word", "Whether a word stands in the text, whole and in any case.",
    EachColumn(lambda c, word: c.str.to_lowercase().str.extract_all(r"\w+")
        .list.contains(word.lower()), "{column}_has"),
    text("word", "The word."), takes="text", columns="note", word="towers",
)  # fmt: skip
