"""Having a server that starts hold what all others hold, before it accepts a connection."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from core.errors import ModelUnusable
from core.serving.config import EndpointConfig
from core.serving.records import LoadReport
from core.serving.routing import RoutingTable
from core.serving.supervision.desired import Desired
from core.serving.supervision.fleet import give_table
from core.serving.supervision.loads import ASK_SECONDS, load_into, unload_from
from core.serving.supervision.spawn import ServerProcess


@dataclass(frozen=True, slots=True)
class Line:
    """What a server is to hold now. `incoming` is loaded by some servers and not yet by all;
    `hopeless` says that a crash loop was given up on: then it is to answer, and to wait for a
    person, without any model."""

    desired: Desired
    config: EndpointConfig
    incoming: dict[int, LoadReport]
    hopeless: bool = False

    def holds(self, server: ServerProcess) -> bool:
        """Whether the server is as it should be."""
        if self.hopeless:
            return server.table in (None, RoutingTable())
        wanted = self.desired.loads.keys() | self.incoming.keys()
        same = server.table is self.desired.table and server.config is self.config
        return same and server.loads == wanted

    async def bring(self, server: ServerProcess) -> str:
        """Configure, load and route as desired; returns why a revision that is not routed had
        to be given up, "" for none. Raises `ModelUnusable` for a routed one, and
        `EndpointUnavailable`."""
        if self.hopeless:
            await give_table(server, RoutingTable(), ASK_SECONDS)
            return ""
        if server.config is not self.config:
            await inform(server, self.config)
        given_up = ""
        loads = self.desired.loads
        for report in [*loads.values(), *self.incoming.values()]:
            if report.revision in server.loads:
                continue
            try:
                await load_into(server, report)
            except ModelUnusable as error:
                if self.desired.table.names(report.revision):
                    raise
                given_up = error.message
                loads.pop(report.revision, None)
                self.incoming.pop(report.revision, None)
        await give_table(server, self.desired.table, ASK_SECONDS)
        for revision in server.loads - loads.keys() - self.incoming.keys():
            await unload_from(server, revision)
        return given_up


async def inform(server: ServerProcess, config: EndpointConfig) -> None:
    """Have a server take these settings. Raises what it refuses them with."""
    await server.channel.call("configure", ASK_SECONDS, config=asdict(config))
    server.config = config
