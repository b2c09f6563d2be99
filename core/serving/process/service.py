"""What the server process holds: loaded revisions, the routing table in force, the counters.

Everything here lives on the event loop and is touched by it alone, so nothing is locked.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from core.errors import BadInput, ModelUnusable, NotFound, WrongState
from core.serving.config import EndpointConfig
from core.serving.model import servable
from core.serving.model.batch import Batcher
from core.serving.model.engines import Engine
from core.serving.process.capture import Capture
from core.serving.process.consumers import Consumers
from core.serving.process.ledger import Ledger
from core.serving.process.meters import Meter
from core.serving.process.shadow import Shadow, Take
from core.serving.process.traffic import RevisionTraffic
from core.serving.process.workers import Workers, follow
from core.serving.records import EndpointStats, LoadReport, Variant
from core.serving.routing import Epoch, RoutingTable

LOAD_SECONDS = 160.0  # a little less than a supervisor waits for it: it is to hear why


class Loaded:
    """One revision that can answer."""

    def __init__(self, batcher: Batcher, report: LoadReport) -> None:
        self.batcher = batcher
        self.engine = batcher.engine
        self.report = report
        self.traffic = RevisionTraffic(report.revision)
        self.meter = Meter()
        self.workers = Workers(batcher, report.revision)
        self._retired = False

    def enter(self) -> None:
        """A request has been given to this revision."""
        self.traffic.in_flight += 1

    def leave(self) -> None:
        """A request of this revision has ended; the last one of a retired revision frees it."""
        self.traffic.in_flight -= 1
        if self._retired and not self.traffic.in_flight:
            self.batcher.close()

    def retire(self) -> None:
        """Free it once its requests, some perhaps still being received, have been answered."""
        self._retired = True
        if not self.traffic.in_flight:
            self.batcher.close()


class Service:
    """The state of one server process and the changes that control asks for."""

    def __init__(
        self,
        name: str,
        folder: Path,
        config: EndpointConfig | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.name = name
        self.capture = Capture(folder)
        self._folder = folder.parent
        self.shadow = Shadow(self.capture)
        self.ledger = ledger or Ledger()
        self.consumers = Consumers()
        self.epoch = Epoch(0, RoutingTable())
        self.loaded: dict[int, Loaded] = {}
        self.in_flight = 0
        self.shed = 0  # answered 429: too many at once
        self.denied = 0  # answered 401
        self.refused = 0  # connections over the limit
        self.slow = 0  # requests and connections that took too long to arrive
        self.draining = False
        self.parting = 0  # connections to close with their next answer
        self.started = time.time()
        self.whole: Callable[[str], Awaitable[Any]] | None = None  # asks for all servers' answer
        self._epochs: dict[int, Epoch] = {}
        self._loading = asyncio.Lock()
        self.configure(config or EndpointConfig())

    def configure(self, config: EndpointConfig) -> None:
        """Apply settings, also while requests are being answered: those go on under the new
        ones. Raises `BadInput`; then nothing changes."""
        config.check()
        self.config = config
        self.max_body = config.max_body
        self.max_in_flight = config.max_concurrency
        self.digest = bytes.fromhex(config.token_sha256)  # of the token; b"" for none
        self.capture.configure(config.capture_rate, config.capture_bytes)
        for item in self.loaded.values():
            item.batcher.set_timeout(config.predict_timeout)
        follow(self)

    @property
    def ready(self) -> bool:
        """Whether at least one revision is routed."""
        return bool(self.epoch.table.variants)

    async def load(self, revision: int, model_path: str, model: str, version: int) -> LoadReport:
        """Load a model in a thread. Raises `ModelUnusable`, also when it takes longer than
        `LOAD_SECONDS` (the thread, which nobody can end, keeps no other load waiting), and
        `WrongState`."""
        async with self._loading:
            have = self.loaded.get(revision)
            if have is not None:
                if have.report.model_path != model_path:
                    raise WrongState(
                        f"Revision {revision} is {have.report.model_path} already",
                        "give the new model version a new revision",
                    )
                return have.report
            thread = ThreadPoolExecutor(1, thread_name_prefix="load")
            loading = asyncio.get_running_loop().run_in_executor(
                thread, self._load, revision, Path(model_path), model, version
            )
            try:
                engine, report = await asyncio.wait_for(loading, LOAD_SECONDS)
            except TimeoutError:
                raise ModelUnusable(
                    f"{model} version {version} was not loaded within {LOAD_SECONDS:g} s",
                    "see what loading it waits for",
                ) from None
            finally:
                thread.shutdown(wait=False)
            loaded = Loaded(Batcher(engine, self.config.predict_timeout), report)
            loaded.workers.follow(self.config)
            self.loaded[revision] = loaded
            return report

    def _load(
        self, revision: int, path: Path, model: str, version: int
    ) -> tuple[Engine, LoadReport]:
        """In a thread: the model, and where it reads feature views, what looks them up."""
        engine, report = servable.load(revision, path, model, version, self.config.onnx)
        names, said = self.config.features, path / "MLmodel"
        if not names and not (said.is_file() and b"opsdeck.features" in said.read_bytes()):
            return engine, report
        from core.serving.model.featured import features_folder, with_features

        return with_features(engine, report, names, features_folder(self._folder))

    def unload(self, revision: int) -> None:
        """Forget a revision. Raises `NotFound`, or `WrongState` while it is routed."""
        if self.epoch.table.names(revision):
            raise WrongState(f"Revision {revision} is routed", "route the requests away first")
        gone = self.loaded.pop(revision, None)
        if gone is None:
            raise NotFound(f"Revision {revision} is not loaded")
        if self.shadow.target is gone:
            self.shadow.order(None, 0)
        gone.retire()

    def swap(self, variants: Iterable[Variant]) -> Epoch:
        """Put a table in force; returns the epoch that ended, whose requests go on.

        Raises `BadInput`, or `NotFound` when a revision is not loaded; then nothing changes.
        """
        table = RoutingTable.of(variants)
        for variant in table.variants:
            if variant.revision not in self.loaded:
                raise NotFound(f"Revision {variant.revision} is not loaded", "load it first")
        old = self.epoch
        self.epoch = Epoch(old.number + 1, table)
        self._epochs = {n: e for n, e in self._epochs.items() if e.in_flight}
        self._epochs[old.number] = old
        return old

    def count(
        self,
        loaded: Loaded,
        status: int,
        outputs: Any,
        take: Take,
        body: bytes,
        content_type: str,
        identity: str,
    ) -> None:
        """Note what a revision said to a request that has its answer, and mirror the request
        to a shadow, if there is one. What its client got wrong (4xx) is neither."""
        if status == 200:
            loaded.meter.predicted(outputs)
        if self.shadow.target is not None and (status == 200 or status >= 500):
            said = outputs if status == 200 else None
            revision = loaded.report.revision
            self.shadow.mirror(revision, take, body, content_type, identity, said)

    def mirror(self, revision: int | None, percent: float, tolerance: float) -> None:
        """Have a share of the requests (0-100) mirrored to a revision; `None` for no more.
        Raises `NotFound` when it is not loaded, `BadInput`."""
        target = None if revision is None else self.loaded.get(revision)
        if target is None and revision is not None:
            raise NotFound(f"Revision {revision} is not loaded", "load it first")
        self.shadow.order(target, percent, tolerance)

    def meters(self) -> dict[str, Any]:
        """What every revision, and the shadow, has done since it was loaded, as JSON."""
        return {
            "revisions": {key: item.meter.reading() for key, item in self.loaded.items()},
            "shed": self.shed,
            "shadow": self.shadow.reading(),
        }

    async def drained(self, number: int, seconds: float) -> dict[str, Any]:
        """Wait until the requests of an epoch that was swapped out have ended; how many have
        failed by then since this process started (the swap said how many had before)."""
        old = self._epochs.get(number)
        drained = old is None or await old.drained(seconds)
        return {"drained": drained, "failed": self.ledger.failed}

    def stuck(self) -> dict[str, Any]:
        """The routed revision whose model has been at one batch for longest, and for how many
        seconds; `beside` is the same of the others, which keep nobody waiting."""
        routed = {variant.revision for variant in self.epoch.table.variants}
        return {
            **self._longest(routed),
            "beside": self._longest(self.loaded.keys() - routed),
        }

    def _longest(self, revisions: Iterable[int]) -> dict[str, Any]:
        busy = {revision: self.loaded[revision].batcher.busy_seconds for revision in revisions}
        longest = max(busy, key=lambda revision: busy[revision], default=0)
        return {"revision": longest, "seconds": busy.get(longest, 0.0)}

    def closes(self) -> bool:
        """Whether an answer is its connection's last one: each is while the server drains, and
        some are where another server has less to do."""
        if self.parting:
            self.parting -= 1
            return True
        return self.draining

    def set_capture(self, rate: float) -> None:
        """Capture this share of the requests. Raises `BadInput`."""
        if not 0 <= rate <= 1:
            raise BadInput(f"The capture rate {rate:g} is not between 0 and 1")
        self.capture.rate = rate

    def stats(self) -> EndpointStats:
        """The figures of every loaded revision."""
        return EndpointStats(
            revisions=tuple(self.loaded[key].traffic.stats() for key in sorted(self.loaded)),
            in_flight=self.in_flight,
            shed=self.shed,
            capture=self.capture.status(),
        )

    def modules(self) -> list[str]:
        """What a successor should have imported before it loads the same models."""
        if not self.loaded:
            return []
        found = ["mlflow.pyfunc.scoring_server"]
        if any(item.report.flavour.native for item in self.loaded.values()):
            found += ["mlflow.sklearn", *(name for name in sys.modules if _preloads(name))]
        return found


def _preloads(name: str) -> bool:
    """Whether a module is known to be safe to import in a process that will fork."""
    return name.startswith("sklearn.") and ".tests" not in name
