"""Times: reading them, their parts, cycles, holidays, spans between them."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import polars as pl

from core.recipes.errors import StepBroken
from core.recipes.operation import Call, Combined, EachColumn, Lineage, Operation, State
from core.recipes.own.define import Section, choice, column, flag, number, optional, required

section = Section("time")

_PARTS: dict[str, Any] = {
    "year": lambda c: c.dt.year(),
    "quarter": lambda c: c.dt.quarter(),
    "month": lambda c: c.dt.month(),
    "week": lambda c: c.dt.week(),
    "day": lambda c: c.dt.day(),
    "weekday": lambda c: c.dt.weekday(),
    "hour": lambda c: c.dt.hour(),
    "minute": lambda c: c.dt.minute(),
    "ordinal_day": lambda c: c.dt.ordinal_day(),
}
_PERIODS = {
    "hour of day": 24.0,
    "minute of hour": 60.0,
    "weekday": 7.0,
    "day of month": 31.0,
    "day of year": 365.25,
    "month": 12.0,
}
_UNITS = {"seconds": 1.0, "minutes": 60.0, "hours": 3600.0, "days": 86400.0, "weeks": 604800.0}


def _parse(column: pl.Expr, *, formats: tuple[str, ...], day_first: bool, strict: bool) -> pl.Expr:
    """Try one format after the other: the first that fits a row counts."""
    usual = [
        "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M",
        "%Y/%m/%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M",
        *(["%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M"] if day_first
          else ["%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M"]),
    ]  # fmt: skip
    dates = ["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y" if day_first else "%m/%d/%Y",
             "%d %b %Y", "%d %B %Y"]  # fmt: skip
    words = column.str.strip_chars().str.strip_suffix("Z")
    wanted = formats or (*usual, *dates)
    read = []
    for each in wanted:
        if any(mark in each for mark in ("%H", "%I", "%T", "%s", "%R")):
            read.append(words.str.to_datetime(each, strict=False, time_unit="us"))
        else:
            read.append(words.str.to_date(each, strict=False).cast(pl.Datetime("us")))
    value = pl.coalesce(read)
    if not strict:
        return value
    # One that stays missing although there was a text is cast strictly, which says what it is.
    left = pl.when(value.is_null()).then(words)
    return value.fill_null(left.str.to_datetime(wanted[0], strict=True, time_unit="us"))


class _Parts(Operation):
    """Several parts of a time, each a column of its own."""

    names = True

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        made = {}
        for each in call.columns:
            for part in call.params["parts"]:
                if part not in _PARTS:
                    raise StepBroken(f"parts: {part!r} is none", "known: " + ", ".join(_PARTS))
                made[self._name(call, each, part)] = _PARTS[part](pl.col(each))
        return frame.with_columns(**made)

    def _name(self, call: Call, column: str, part: str) -> str:
        pattern = call.pattern or "{column}_{name}"
        return pattern.replace("{column}", column).replace("{name}", part)

    def lineage(self, call: Call, made: Any, state: State) -> Lineage:
        back = {self._name(call, c, p): (c,) for c in call.columns for p in call.params["parts"]}
        return {name: back.get(name, (name,)) for name in made}


def _in_cycle(column: pl.Expr, period: str) -> pl.Expr:
    seconds = column.dt.hour().cast(pl.Float64) * 60 + column.dt.minute().cast(pl.Float64)
    return {
        "hour of day": seconds / 60,
        "minute of hour": column.dt.minute().cast(pl.Float64),
        "weekday": column.dt.weekday().cast(pl.Float64) - 1,
        "day of month": column.dt.day().cast(pl.Float64) - 1,
        "day of year": column.dt.ordinal_day().cast(pl.Float64) - 1,
        "month": column.dt.month().cast(pl.Float64) - 1,
    }[period]


class _Cycle(Operation):
    """Sine and cosine, so that the end of a cycle lies beside its beginning."""

    names = True

    def __init__(self, of_time: bool) -> None:
        self._of_time = of_time

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        made: dict[str, pl.Expr] = {}
        for each in call.columns:
            if self._of_time:
                period = call.params["period"]
                turn = _in_cycle(pl.col(each), period) / _PERIODS[period]
            else:
                turn = pl.col(each).cast(pl.Float64) / call.params["period"]
            for name, value in (("sin", turn * math.tau), ("cos", turn * math.tau)):
                made[self._name(call, each, name)] = value.sin() if name == "sin" else value.cos()
        return frame.with_columns(**made)

    def _name(self, call: Call, column: str, name: str) -> str:
        pattern = call.pattern or "{column}_{name}"
        return pattern.replace("{column}", column).replace("{name}", name)

    def lineage(self, call: Call, made: Any, state: State) -> Lineage:
        back = {self._name(call, c, name): (c,) for c in call.columns for name in ("sin", "cos")}
        return {name: back.get(name, (name,)) for name in made}


def _days(values: Any) -> list[date]:
    try:
        return [date.fromisoformat(str(each)) for each in values]
    except ValueError as error:
        raise StepBroken(f"dates: {error}", "write dates as 2026-12-25") from None


def _holiday(column: pl.Expr, *, dates: Any, around: int) -> pl.Expr:
    day = column.cast(pl.Date)
    wanted = _days(dates)
    flags = [day.dt.offset_by(f"{n}d").is_in(wanted) for n in range(-around, around + 1)]
    return pl.any_horizontal(flags)


def _holiday_of(column: pl.Expr, *, holiday: str) -> pl.Expr:
    """From a column that says it per row: whether any row of that day bears a holiday."""
    value = pl.col(holiday)
    return (
        (value.is_not_null() & ~value.cast(pl.String).is_in(["0", "false", "", "0.0"]))
        .any()
        .over(column.cast(pl.Date))
    )


def _since(column: pl.Expr, *, moment: str, unit: str) -> pl.Expr:
    start = pl.lit(moment).str.to_datetime(strict=True, time_unit="us")
    spent = column.cast(pl.Datetime("us")) - start
    return spent.dt.total_microseconds() / 1e6 / _UNITS[unit]


def _between(columns: list[str], *, unit: str) -> pl.Expr:
    if len(columns) != 2:
        raise StepBroken(f"columns: takes two times, not {len(columns)}", "name later and earlier")
    later, earlier = (pl.col(each).cast(pl.Datetime("us")) for each in columns)
    return (later - earlier).dt.total_microseconds() / 1e6 / _UNITS[unit]


def _age(column: pl.Expr, *, at: str) -> pl.Expr:
    born, now = column.cast(pl.Date), pl.col(at).cast(pl.Date)
    before = (now.dt.month() * 100 + now.dt.day()) < (born.dt.month() * 100 + born.dt.day())
    return now.dt.year() - born.dt.year() - before.cast(pl.Int32)


def _part_of_day(column: pl.Expr) -> pl.Expr:
    hour = column.dt.hour()
    return (
        pl.when(hour < 6).then(pl.lit("night")).when(hour < 12).then(pl.lit("morning"))
        .when(hour < 18).then(pl.lit("afternoon")).otherwise(pl.lit("evening"))
    )  # fmt: skip


def _season(column: pl.Expr, *, south: bool) -> pl.Expr:
    names = ["winter", "spring", "summer", "autumn"]
    names = names[2:] + names[:2] if south else names
    index = (column.dt.month() % 12) // 3
    return index.cast(pl.Int64).replace_strict([0, 1, 2, 3], names, return_dtype=pl.String)


_unit = choice("unit", "The unit of the result.", "days", "seconds", "minutes", "hours", "weeks")
section.add(
    "parse_dates", "Read times written in several formats; the first that fits a row counts.",
    EachColumn(_parse),
    optional("list", "formats", "Formats as of strftime; the usual ones when left out."),
    flag("day_first", "01/02/2026 is the first of February.", False),
    flag("strict", "Fail on a text that no format fits, instead of leaving it out.", True),
    takes="text", columns="mixed_dates", formats=["%Y-%m-%d", "%d.%m.%Y"],
)  # fmt: skip
section.add(
    "from_epoch", "A number of seconds (or milliseconds …) since 1970 as a time.",
    EachColumn(lambda c, unit: pl.from_epoch(c, time_unit=unit)),
    choice("unit", "What it counts.", "s", "ms", "us", "d"), takes="integer", columns="count",
)  # fmt: skip
section.add(
    "time_parts", "Several parts of a time as columns: year, month, weekday, hour …",
    _Parts(), required("list", "parts", "Which: " + ", ".join(_PARTS) + "."),
    takes="time", columns="at", parts=["month", "weekday", "hour"],
)  # fmt: skip
section.add(
    "cyclic_time", "Sine and cosine of the hour, weekday, month … of a time.",
    _Cycle(of_time=True), choice("period", "The cycle.", *_PERIODS),
    takes="time", columns="at", period="hour of day",
)  # fmt: skip
section.add(
    "cyclic", "Sine and cosine of a number that goes round, such as an hour of 24.",
    _Cycle(of_time=False), number("period", "After how much it begins anew.", None, 1e-9),
    takes="number", columns="count", period=11.0,
)  # fmt: skip
section.add(
    "is_weekend", "Whether it is a Saturday or Sunday.",
    EachColumn(lambda c: c.dt.weekday() >= 6, "{column}_weekend"), takes="time", columns="at",
)  # fmt: skip
section.add(
    "is_month_end", "Whether it is the last day of its month.",
    EachColumn(lambda c: c.cast(pl.Date).dt.month_end() == c.cast(pl.Date), "{column}_month_end"),
    takes="time", columns="day",
)  # fmt: skip
section.add(
    "is_month_start", "Whether it is the first day of its month.",
    EachColumn(lambda c: c.dt.day() == 1, "{column}_month_start"), takes="time", columns="day",
)  # fmt: skip
section.add(
    "holiday_dates", "Whether the day is one of these dates, or near one.",
    EachColumn(lambda c, dates, around: _holiday(c, dates=dates, around=int(around)),
        "{column}_holiday"),
    required("list", "dates", "The dates, as 2026-12-25."),
    number("around", "Days before and after that count too.", 0, 0, 30),
    takes="time", columns="at", dates=["2026-03-02"],
)  # fmt: skip
section.add(
    "holiday_flag", "Whether any row of the same day bears a holiday in another column.",
    EachColumn(_holiday_of, "{column}_holiday"),
    column("holiday", "The column: a flag, 0/1, or the holiday's name."),
    takes="time", scope="frame", columns="at", holiday="flag",
)  # fmt: skip
section.add(
    "time_since", "How long after a fixed moment.", EachColumn(_since, "{column}_since"),
    required("text", "moment", "The moment, as 2026-01-01 or 2026-01-01T00:00:00."), _unit,
    takes="time", columns="at", moment="2026-01-01T00:00:00", unit="hours",
)  # fmt: skip
section.add(
    "time_between", "How long from the second time to the first.",
    Combined(_between, "time_between"), _unit,
    takes="time", arity="together", columns=["at", "born"],
)  # fmt: skip
section.add(
    "age_years", "Full years from a date of birth to another time of the row.",
    EachColumn(_age, "{column}_age"), column("at", "The time at which the age is meant."),
    takes="time", columns="born", at="at",
)  # fmt: skip
section.add(
    "part_of_day", "night, morning, afternoon or evening.",
    EachColumn(_part_of_day, "{column}_part"), takes="time", columns="at",
)  # fmt: skip
section.add(
    "season_of_year", "winter, spring, summer or autumn, by month.",
    EachColumn(_season, "{column}_season"), flag("south", "South of the equator."),
    takes="time", columns="at",
)  # fmt: skip
section.add(
    "minute_of_day", "Minutes since midnight.",
    EachColumn(lambda c: c.dt.hour().cast(pl.Int32) * 60 + c.dt.minute(), "{column}_minute"),
    takes="time", columns="at",
)  # fmt: skip
section.add(
    "hour_of_week", "Hours since Monday, 0 to 167.",
    EachColumn(lambda c: (c.dt.weekday().cast(pl.Int32) - 1) * 24 + c.dt.hour(), "{column}_hour"),
    takes="time", columns="at",
)  # fmt: skip
