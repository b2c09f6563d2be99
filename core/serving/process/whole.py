"""What a server answers for the whole endpoint: a scrape or a look at `/status` reaches any one
of several, which asks here, over its channel, for what all of them say together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from core.errors import OpsdeckError
from core.serving.supervision.figures import Collector, as_one
from core.serving.supervision.keeper import Keeper

ASK_SECONDS = 0.7  # how long a server may be silent; who asks us waits for WAIT_SECONDS
WAIT_SECONDS = 1.5


class Whole:
    """Answers the questions of servers. Lives on the supervisor's event loop."""

    def __init__(self, name: str, keeper: Keeper, figures: Collector) -> None:
        self._name = name
        self._keeper = keeper
        self._figures = figures

    async def answer(self, operation: str, _: dict[str, Any]) -> Any:
        """`metrics`: the text of all servers' metrics. `status`: the page's content."""
        match operation:
            case "metrics":
                texts = [text for _, text in await self._keeper.fleet.ask("metrics", ASK_SECONDS)]
                return combined([*texts, self._own()])
            case "status":
                return await self._status()
        raise OpsdeckError(f"Unknown operation {operation!r}")

    async def _status(self) -> dict[str, Any]:
        keeper = self._keeper
        table = keeper.desired.table
        one = as_one(await keeper.fleet.ask("status", ASK_SECONDS), table)
        return {
            "name": self._name,
            "state": keeper.state,
            "variants": [asdict(variant) for variant in one["actual"]],
            "loaded": one["loaded"],
            "servers": [asdict(server) for server in one.get("servers", ())],
            "workers": [asdict(count) for count in one.get("workers", ())],
            "stats": asdict((await self._figures.collect(ASK_SECONDS)).stats()),
        }

    def _own(self) -> str:
        keeper = self._keeper
        label = self._name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        lines: list[str] = []
        for name, kind, meaning, value in (
            ("servers", "gauge", "Server processes that are up.", len(keeper.servers())),
            ("servers_wanted", "gauge", "Server processes that there are to be.", keeper.wanted),
            ("server_restarts_total", "counter", "Servers that died.", keeper.restarts),
        ):
            lines += [f"# HELP opsdeck_{name} {meaning}", f"# TYPE opsdeck_{name} {kind}"]
            lines.append(f'opsdeck_{name}{{endpoint="{label}"}} {value}')
        return "\n".join(lines) + "\n"


def combined(texts: Iterable[str]) -> str:
    """Several texts in Prometheus' format as one, in which a metric's lines stand together as
    the format asks for. What tells the samples apart is a label of theirs."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for text in texts:
        name = ""
        first = False
        for line in text.splitlines():
            if line.startswith("# HELP "):
                name = line.split(" ", 3)[2]
                first = name not in heads
                heads.setdefault(name, [])
                samples.setdefault(name, [])
            if not line.startswith("#"):
                samples[name].append(line)
            elif first:
                heads[name].append(line)
    return "\n".join(line for name in heads for line in (*heads[name], *samples[name])) + "\n"
