"""Values of the section `alerts:`, each read with an error that names file and key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from core import units
from core.alerting.errors import AlertsConfigInvalid
from core.alerting.settings import DAY_SECONDS, Throttle
from core.domain.alert import Severity
from core.errors import BadInput
from core.windows import Window, parse_window

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_RATE = re.compile(r"([0-9]{1,4}) (?:per|in|/) ([0-9a-z. ]+)")
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_PLAIN = ("json", "jsons", "xml", "xmls", "form", "forms", "syslog", "dbus", "gnome", "macosx",
          "windows", "mqtt", "mqtts", "rsyslog")  # fmt: skip
"""Schemes whose path is a place and no secret; all others have tokens in it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which file a value is; `place / key` is one deeper."""

    file: str
    key: str

    def __truediv__(self, key: object) -> Place:
        return Place(self.file, f"{self.key}.{key}")

    def wrong(self, what: str, hint: str = "") -> AlertsConfigInvalid:
        """The error that says what is wrong with the value here."""
        return AlertsConfigInvalid(f"{self.file}: {self.key}: {what}", hint)


def refuse_unknown(place: Place, given: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise for a key that is not among the known ones, with the nearest."""
    for key in given:
        if key not in known:
            raise (place / key).wrong("unknown key", _nearest(str(key), known))


def refuse_strange(place: Place, word: str, known: Iterable[str], what: str) -> None:
    """Raise for a name that nothing has, with the nearest."""
    names = list(known)
    if word not in names:
        hint = _nearest(word, names) if names else f"there is no {what} yet"
        raise place.wrong(f"no {what} {word!r}", hint)


def refuse_open_secret(place: Place, url: str) -> None:
    """Raise where an address has what must not be in a file: a password or a token."""
    if _VARIABLE.fullmatch(url):
        return
    scheme, found, rest = url.partition("://")
    if not found or not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
        raise place.wrong("is no address", "one of Apprise's, such as json://HOST/PATH or ${NAME}")
    at = rest.split("/")[0]
    open_part = _VARIABLE.sub("", at.rpartition("@")[0])
    if ":" in open_part and open_part.rpartition(":")[2]:
        raise place.wrong("has a password in it", "take it from the environment: ${NAME}")
    if scheme not in _PLAIN and not _VARIABLE.search(rest):
        raise place.wrong("has its token in the file", "take it from the environment: ${NAME}")


def mapping(place: Place, given: Any) -> Mapping[str, Any]:
    """A mapping; nothing is an empty one."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise place.wrong(f"must be a mapping, not {_shown(given)}")
    return {str(key): value for key, value in given.items()}


def named(place: Place, given: Any) -> Iterator[tuple[str, Any]]:
    """The entries of a mapping whose keys are names."""
    for name, value in mapping(place, given).items():
        if not _NAME.fullmatch(name):
            raise place.wrong(f"{name!r} is no name", "letters, digits, _, - and . after a letter")
        yield name, value


def items(place: Place, given: Any) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """The mappings of a list, each with its place."""
    if given is None:
        return
    if not isinstance(given, list):
        raise place.wrong(f"must be a list, not {_shown(given)}")
    for number, each in enumerate(given):
        where = Place(place.file, f"{place.key}[{number}]")
        if not isinstance(each, dict):
            raise where.wrong(f"must be a mapping, not {_shown(each)}")
        yield where, mapping(where, each)


def text(place: Place, given: Any) -> str:
    """A text that is not blank."""
    if given is None:
        raise place.wrong("missing")
    if not isinstance(given, str) or not given.strip():
        raise place.wrong(f"must be text, not {_shown(given)}")
    return given.strip()


def texts(place: Place, given: Any) -> tuple[str, ...]:
    """A list of texts; one text is a list of one, nothing an empty one."""
    if given is None:
        return ()
    found = [given] if isinstance(given, str) else given
    if not isinstance(found, list):
        raise place.wrong(f"must be a list, not {_shown(given)}")
    return tuple(dict.fromkeys(text(place, each) for each in found))


def severity(place: Place, given: Any) -> Severity:
    """critical, warning or info."""
    try:
        return Severity(given)
    except ValueError:
        known = [str(each) for each in Severity]
        hint = _nearest(str(given), known)
        raise place.wrong(f"no severity {_shown(given)}", hint) from None


def duration(place: Place, given: Any, default: float) -> float:
    """Seconds of `15m`, `1h30m` or a number of seconds."""
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise place.wrong(f"must be a duration, not {_shown(given)}", "such as 15m or 1h30m")
    try:
        return units.seconds(given)
    except ValueError as error:
        raise place.wrong(str(error), "such as 15m or 1h30m") from None


def whole_days(place: Place, given: Any) -> int:
    """Days of `1d` or `2w`."""
    days = duration(place, given, 0.0) / DAY_SECONDS
    if days < 1 or days != int(days):
        raise place.wrong("must be whole days or weeks", "such as 1d or 1w")
    return int(days)


def minute(place: Place, given: Any) -> int:
    """The minute of the day of `09:00`. YAML takes 10:00 without quotes for a number to the base
    of 60, which happens to be what is wanted."""
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < 24 * 60:
        return given
    match = _CLOCK.fullmatch(given.strip()) if isinstance(given, str) else None
    if match is None:
        raise place.wrong(f"must be a time of the day, not {_shown(given)}", 'such as "09:00"')
    return int(match[1]) * 60 + int(match[2])


def day(place: Place, given: Any) -> date:
    """A day such as 2026-11-02."""
    if given is None:
        raise place.wrong("missing", "the day of the first handover, such as 2026-11-02")
    if isinstance(given, date) and not isinstance(given, datetime):
        return given
    try:
        return date.fromisoformat(given)
    except (TypeError, ValueError):
        raise place.wrong(f"must be a day, not {_shown(given)}", "such as 2026-11-02") from None


def moment(place: Place, given: Any, where: ZoneInfo) -> float:
    """Unix seconds of `2026-12-24 09:00`, by the clock of a zone."""
    found: datetime | None = None
    if isinstance(given, datetime):
        found = given
    elif isinstance(given, date):
        found = datetime(given.year, given.month, given.day)
    elif isinstance(given, str):
        try:
            found = datetime.fromisoformat(given.strip())
        except ValueError:
            found = None
    if found is None:
        raise place.wrong(f"must be a moment, not {_shown(given)}", 'such as "2026-12-24 09:00"')
    return (found if found.tzinfo else found.replace(tzinfo=where)).astimezone(UTC).timestamp()


def zone(place: Place, given: Any) -> ZoneInfo:
    """A time zone such as Europe/Berlin; UTC where none is named."""
    try:
        return ZoneInfo("UTC" if given is None else text(place, given))
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        raise place.wrong(f"no time zone {_shown(given)}", "such as Europe/Berlin") from None


def windows(place: Place, given: Any) -> tuple[Window, ...]:
    """Windows of the week, such as `22:00-07:00 Europe/Berlin`."""
    try:
        return tuple(parse_window(each) for each in texts(place, given))
    except BadInput as error:
        raise place.wrong(error.message, error.hint) from None


def throttle(place: Place, given: Any, default: Throttle) -> Throttle:
    """`6 per 10m`."""
    if given is None:
        return default
    match = _RATE.fullmatch(given.strip()) if isinstance(given, str) else None
    if match is None or int(match[1]) < 1:
        raise place.wrong(f"must be so many messages per time, not {_shown(given)}", "6 per 10m")
    seconds = duration(place, match[2].strip(), 0.0)
    if seconds < 1:
        raise place.wrong("must be per second at least", "6 per 10m")
    return Throttle(int(match[1]), seconds)


def _nearest(word: str, known: Sequence[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else "known: " + ", ".join(sorted(known))


def _shown(given: Any) -> str:
    shown = repr(given)
    return shown if len(shown) <= 40 else shown[:39] + "…"
