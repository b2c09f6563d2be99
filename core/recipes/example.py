"""A small frame with a column of every type: what examples run on, and tests."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

ROWS = 60


def frame() -> Any:
    """60 rows, the same each time: hourly times with three gaps, numbers with missing values,
    texts, categories, lists, a numeric `target` and a `label` with two classes."""
    import polars as pl

    steps = [each for each in range(ROWS + 3) if each not in (7, 8, 31)]
    wave = [((each * 37) % 23) / 4 - 2.5 for each in range(ROWS)]
    cities = ["Berlin", "Bremen", "Aachen", "Ulm"]
    at = [datetime(2026, 3, 1) + timedelta(hours=each) for each in steps]
    counts = [(each * 7) % 11 for each in range(ROWS)]
    city = [cities[(each * each + each // 7) % 4] for each in range(ROWS)]
    return pl.DataFrame(
        {
            "key": list(range(1, ROWS + 1)),
            "at": at,
            "day": [each.date() for each in at],
            "zoned": pl.Series(at).dt.replace_time_zone("UTC"),
            "span": [timedelta(hours=each, minutes=30) for each in range(ROWS)],
            "clock": [time(each % 24, 15) for each in range(ROWS)],
            "born": [date(1980 + each % 30, 1 + each % 12, 1) for each in range(ROWS)],
            "number": [None if each % 13 == 5 else wave[each] for each in range(ROWS)],
            "whole": [float(value) + 0.25 for value in wave],
            "positive": [1.0 + (each * 29) % 17 for each in range(ROWS)],
            "share": [((each * 31) % 41) / 42 + 0.01 for each in range(ROWS)],
            "count": counts,
            "constant": [1] * ROWS,
            "latitude": [47.0 + (each * 3 % 7) for each in range(ROWS)],
            "longitude": [6.0 + (each * 5 % 8) for each in range(ROWS)],
            "city": city,
            "other_city": city[1:] + city[:1],
            "maybe_city": [None if each % 11 == 3 else city[each] for each in range(ROWS)],
            "note": [f"  {city[each]}, near  the {counts[each]} Towers! " for each in range(ROWS)],
            "untidy": [(" Äpfel.gut ", "crème brûlée ", " ")[each % 3] for each in range(ROWS)],
            "with_nan": [float("nan") if each % 9 == 2 else wave[each] for each in range(ROWS)],
            "Odd Name": wave,
            "kind": pl.Series(city, dtype=pl.Categorical),
            "flag": [each % 3 == 0 for each in range(ROWS)],
            "hex": [name.encode().hex() for name in city],
            "bytes": [name.encode() for name in city],
            "json": [f'{{"a": "{each % 5}"}}' for each in range(ROWS)],
            "number_text": [str(each * 3) for each in range(ROWS)],
            "messy_number": [f"€ 1.{each:03d},50" for each in range(ROWS)],
            "date_text": [f"2026-01-{1 + each % 28:02d}" for each in range(ROWS)],
            "mixed_dates": [
                (f"2026-01-{1 + each % 28:02d}", f"{1 + each % 28:02d}.01.2026")[each % 2]
                for each in range(ROWS)
            ],
            "time_text": [f"{each % 24:02d}:30" for each in range(ROWS)],
            "yes_no": [("yes", "No", "TRUE", "0")[each % 4] for each in range(ROWS)],
            "url": [f"https://www.example.org/{each % 4}?q=1" for each in range(ROWS)],
            "address": [f"person{each % 9}@example.org" for each in range(ROWS)],
            "numbers": [[each % 4, 2, each % 5] for each in range(ROWS)],
            "holey": [[each % 4, None] for each in range(ROWS)],
            "words": [[name.lower(), "x"] for name in city],
            "flags": [[each % 2 == 0, True] for each in range(ROWS)],
            "target": [value * 2 + count for value, count in zip(wave, counts, strict=True)],
            "label": [int(wave[each] > 0) for each in range(ROWS)],
        }
    )
