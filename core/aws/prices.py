"""What an hour of a SageMaker instance costs, by AWS's price list, kept on disk with its date.

The price list answers in few regions, for all of them; prices are on demand and in US dollars.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from core.aws.errors import AwsError

if TYPE_CHECKING:
    from core.aws.account import Account

ASKED_IN = "us-east-1"
SERVICE = "AmazonSageMaker"
FRESH_SECONDS = 30 * 86_400.0
USES = {
    "Hosting": "Host", "Training": "Train", "Processing": "Processing", "BatchTransform": "Tsform",
}  # fmt: skip
"""What an instance is used for, and how bills name it (EU-Train:ml.m5.xlarge)."""
REFUSED_SECONDS = 300.0
_lock = threading.Lock()
_there: WeakKeyDictionary[Account, Account] = WeakKeyDictionary()
_refused: WeakKeyDictionary[Account, tuple[float, str]] = WeakKeyDictionary()
"""Who was refused the price list, when and why: they are not asked for each instance again."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars an hour (None: the list has none, or may not be read), and where from."""

    hourly: float | None
    said: str


def hourly(
    account: Account, instance_type: str, region: str = "", use: str = "Hosting"
) -> float | None:
    """US dollars an hour of an instance; None where no price is to be had."""
    return price(account, instance_type, region, use).hourly


def price(account: Account, instance_type: str, region: str = "", use: str = "Hosting") -> Price:
    """The price of an instance, used for one of `USES`; where it can't be had, why."""
    where = region or account.region
    source = "simulated price list" if account.simulated else "AWS price list"
    key = f"{source} {where} {use} {instance_type}"
    with _lock:  # of several that want a price, one asks
        return _price(account, source, key, (instance_type, where, use))


def _price(account: Account, source: str, key: str, wanted: tuple[str, str, str]) -> Price:
    known = _read()
    kept = known.get(key)
    if kept is not None and time.time() - kept["at"] < FRESH_SECONDS:
        return Price(kept["hourly"], f"{source}, {_day(kept['at'])}")
    refused_at, refused = _refused.get(account, (0.0, ""))
    if time.monotonic() - refused_at > REFUSED_SECONDS or not refused:
        try:
            found = _asked(account, *wanted)
        except AwsError as error:
            refused = f"{error.code} {error.message}"
            _refused[account] = (time.monotonic(), refused)
        else:
            _write({**known, key: {"hourly": found, "at": time.time()}})
            return Price(found, f"{source}, {_day(time.time())}")
    if kept is not None:
        return Price(kept["hourly"], f"{source}, {_day(kept['at'])}: not renewed")
    return Price(None, refused)


def elsewhere(account: Account, region: str) -> Account:
    """The same account in another region; its calls are written down in the same place."""
    from core.aws.account import Account as Opened

    there = Opened(replace(account.context, region=region), read_only=account.read_only)
    there.calls = account.calls
    return there


def _asked(account: Account, instance_type: str, region: str, use: str) -> float | None:
    filters = [
        {"Type": "TERM_MATCH", "Field": "regionCode", "Value": region},
        {"Type": "TERM_MATCH", "Field": "instanceName", "Value": instance_type},
    ]
    if account not in _there:
        _there[account] = elsewhere(account, ASKED_IN)
    there = _there[account]
    for page in there.pages("pricing", "get_products", ServiceCode=SERVICE, Filters=filters):
        for text in page.get("PriceList", ()):
            listed = json.loads(text)
            if _used_for(listed["product"].get("attributes", {}), use):
                found = _dollars(listed)
                if found is not None:
                    return found
    return None


def _used_for(attributes: Mapping[str, str], use: str) -> bool:
    billed = f"-{USES[use]}:"
    return attributes.get("component") == use or billed in f"-{attributes.get('usagetype', '')}"


def _dollars(listed: Mapping[str, Any]) -> float | None:
    for offer in (listed.get("terms", {}).get("OnDemand") or {}).values():
        for dimension in offer.get("priceDimensions", {}).values():
            amount = dimension.get("pricePerUnit", {}).get("USD")
            if amount is not None and dimension.get("unit", "Hrs").lower().startswith("h"):
                return float(amount)
    return None


def cache_file() -> Path:
    """Where prices are kept: `$XDG_CACHE_HOME/opsdeck/prices.json`."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "opsdeck" / "prices.json"


def _read() -> dict[str, Any]:
    try:
        found = json.loads(cache_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(prices: Mapping[str, Any]) -> None:
    """Best effort: without a cache the list is asked again next time."""
    path = cache_file()
    scratch = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(json.dumps(prices), encoding="utf-8")
        scratch.replace(path)
    except OSError:
        scratch.unlink(missing_ok=True)


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))
