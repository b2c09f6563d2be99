"""Write the README's pictures: SVG screenshots taken by the console itself.

python assets/screenshots/take.py                    on a seeded workspace, at a fixed time
python assets/screenshots/take.py --workspace PATH   on a real one, as it is now
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

SIZE = (120, 36)
SHOTS: dict[str, tuple[str, list[str]]] = {
    "pulse": ("pulse", []),
    "runs": ("runs", []),
    "run": ("runs", ["enter"]),
    "models": ("models", []),
    "approvals": ("approvals", []),
    "deploys": ("deploys", []),
    "rollback": ("deploys", ["R"]),
    "audit": ("audit", ["v"]),
}


async def take(workspace: Path, clock: Callable[[], float], *, live: bool) -> None:
    """Take every picture of a workspace."""
    from console.app import OpsdeckApp
    from core.ops import open_ops

    for name, (mode, keys) in SHOTS.items():
        with open_ops(workspace, actor="engineer" if live else None) as ops:
            if live:
                from tests.support.live import LiveEndpoints, with_live_endpoints
                from tests.support.releases import SCENES

                with_live_endpoints(ops)
                assert isinstance(ops.endpoints, LiveEndpoints)
                if mode == "deploys":
                    ops.endpoints.scene = SCENES["analysing"]
            app = OpsdeckApp(ops, start_mode=mode, clock=clock)
            async with app.run_test(size=SIZE) as pilot:
                await pilot.pause(1.5)
                for key in keys:
                    await pilot.press(key)
                    await pilot.pause(2.0)
                picture = app.export_screenshot(title=f"opsdeck · {ops.workspace.name}")
                app.stop_reading()
                await pilot.pause()
        picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)  # no downloads
        picture = re.sub(r"terminal-\d+", f"opsdeck-{name}", picture)
        target = HERE / f"{name}.svg"
        target.write_text(picture, encoding="utf-8")
        print(target)


def main() -> None:
    """Take the pictures of the workspace named, or of a seeded one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path)
    args = parser.parse_args()
    os.environ.pop("NO_COLOR", None)
    if args.workspace is not None:
        asyncio.run(take(args.workspace, time.time, live=False))
        return
    from tests.support.seed import NOW, seed_workspace

    os.environ["TZ"] = "UTC"
    time.tzset()
    time.time = lambda: NOW
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(take(seed_workspace(Path(folder)), lambda: NOW, live=True))


if __name__ == "__main__":
    main()
