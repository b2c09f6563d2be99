"""Pictures of the console as SVG, compared with those in `tests/screens/snapshots/`.

`UPDATE_SNAPSHOTS=1 pytest tests/screens` writes them anew; look at each one before it is
committed. On a difference the picture that came is written beside the expected one, as
`NAME.actual.svg`, and the test fails with the lines of text that differ.
"""

from __future__ import annotations

import difflib
import html
import os
import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "screens" / "snapshots"


def normalised(svg: str) -> str:
    """The picture without ids that differ from one export to the next, or fonts to download."""
    without_fonts = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return re.sub(r"terminal-\d+", "terminal", without_fonts)


def text_of(svg: str) -> list[str]:
    """The text of a picture, line by line as the terminal shows it."""
    rows: dict[float, list[tuple[float, str]]] = {}
    pattern = r'<text class="[^"]*-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>'
    for x, y, text in re.findall(pattern, svg):
        rows.setdefault(float(y), []).append((float(x), html.unescape(text).replace("\xa0", " ")))
    lines = []
    for y in sorted(rows):
        line = ""
        for x, text in sorted(rows[y]):
            line = line.ljust(round(x / 12.2)) + text
        lines.append(line.rstrip())
    return lines


def check_snapshot(name: str, svg: str) -> None:
    """Compare a picture with the one kept under this name; raises `AssertionError`."""
    picture = normalised(svg)
    kept = FOLDER / f"{name}.svg"
    actual = FOLDER / f"{name}.actual.svg"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        FOLDER.mkdir(parents=True, exist_ok=True)
        kept.write_text(picture, encoding="utf-8")
        actual.unlink(missing_ok=True)
        return
    expected = kept.read_text(encoding="utf-8") if kept.exists() else ""
    if picture == expected:
        actual.unlink(missing_ok=True)
        return
    actual.write_text(picture, encoding="utf-8")
    changed = difflib.unified_diff(text_of(expected), text_of(picture), "kept", "now", lineterm="")
    differs = "\n".join(changed) or "the text is the same: colours or styles differ"
    raise AssertionError(f"{name} looks different; see {actual}\n{differs}")
