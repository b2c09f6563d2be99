"""Endpoints: what they serve, making them, asking them, taking them away."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from core.domain.analysis import DisagreementSummary
from core.domain.release import Endpoint
from core.errors import BadInput, OpsdeckError, WrongState
from core.reads import releases as _releases
from core.services import endpointview
from core.services.releases import ReleasesService
from core.services.rules import check_config, check_name, check_token
from core.serving.bounds import ScheduledBounds
from core.serving.config import EndpointConfig
from core.serving.control import EndpointControl
from core.serving.records import InvokeReply


class EndpointsService(ReleasesService):
    """The workspace's endpoints, and the deployments to them."""

    def list(self) -> tuple[Endpoint, ...]:
        """Every endpoint, with what its processes say where they answer."""
        return tuple(self._live(e) for e in _releases.list_endpoints(self._session.reader))

    def get(self, name: str) -> Endpoint:
        """One endpoint with its history, its receipts and who calls; raises `NotFound`."""
        endpoint = self._live(_releases.find_endpoint(self._session.reader, name))
        if not endpoint.stats:
            return endpoint  # nobody answers who could say more
        with contextlib.suppress(OpsdeckError):  # an older supervisor counts no consumers
            consumers = self._control(name).consumers(endpointview.VIEW_SECONDS)
            endpoint = replace(endpoint, consumers=consumers)
        return endpoint

    def config(self, name: str) -> EndpointConfig:
        """How an endpoint serves; raises `NotFound`."""
        _releases.find_endpoint(self._session.reader, name)
        return EndpointConfig.read(self._session.workspace.endpoints_dir / name)

    def control(self, name: str) -> EndpointControl:
        """The client of an endpoint's processes, which can change them; raises `ReadOnly`."""
        self._session.refuse_when_read_only("endpoints control")
        return self._control(name)

    def create(
        self,
        name: str,
        *,
        port: int = 0,
        environment: str | None = None,
        token: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Endpoint:
        """Make an endpoint without a version; it answers from its first deployment on.

        `settings` are fields of `EndpointConfig`; of the `token` only the digest is kept.
        Raises `BadInput`, and `WrongState` where there is one of that name.
        """
        from core.releases import endpointrows

        self._session.refuse_when_read_only("endpoints create")
        check_name(name)
        config = _config(EndpointConfig(), token, settings or {})
        folder = self._session.workspace.endpoints_dir / name
        with self._session.change("endpoints create") as tx:
            if any(e.name == name for e in _releases.list_endpoints(self._session.reader)):
                raise WrongState(
                    f"endpoint {name} exists", f"change it: opsdeck endpoints configure {name}"
                )
            wanted = environment or self._session.workspace.environment
            endpointrows.ensure_endpoint(tx, name, port, wanted)
            endpointrows.set_address(tx, name, config.host, port)
            config.write(folder)
        return self.get(name)

    def configure(
        self,
        name: str,
        *,
        token: str | None = None,
        settings: Mapping[str, Any] | None = None,
        workers: Mapping[int, tuple[int, int] | None] | None = None,
    ) -> Endpoint:
        """Change how an endpoint serves, at once where it runs; an empty `token` is none.
        `workers` are bounds of variants, by revision; `None` for those of the endpoint.

        Raises `NotFound`, `BadInput`, and `WrongState` for what needs a restart.
        """
        self._session.refuse_when_read_only("endpoints configure")
        known = {r.revision for r in _releases.find_endpoint(self._session.reader, name).revisions}
        if unknown := sorted(set(workers or ()) - known):
            raise BadInput(f"endpoint {name} has no variant r{unknown[0]}")

        def change(before: EndpointConfig) -> EndpointConfig:
            after = _config(before, token, settings or {})
            for revision, bounds in (workers or {}).items():
                after = after.with_workers(revision, bounds)
            return after

        self._control(name).reconfigure(change)
        changed = {key: _plain(value) for key, value in (settings or {}).items()}
        if workers:
            changed["workers"] = {f"r{key}": bounds for key, bounds in workers.items()}
        with self._session.change("endpoints configure") as tx:
            if token is not None:
                changed["token"] = "changed" if token else "none"
            tx.journal("endpoint.configure", f"endpoint/{name}", **changed)
        return self.get(name)

    def start(self, name: str) -> Endpoint:
        """Bring up an endpoint whose processes were stopped, as it served then.

        Raises `NotFound`, `WrongState` for one that never served, `PortTaken`, `ReadOnly`.
        """
        self._session.refuse_when_read_only("endpoints start")
        endpoint = _releases.find_endpoint(self._session.reader, name)
        if not any(r.state == "stable" for r in endpoint.revisions):
            raise WrongState(f"endpoint {name} serves nothing yet", "deploy a version to it")
        self._control(name).ensure_running(name, endpoint.port)
        with self._session.change("endpoints start") as tx:
            tx.journal("endpoint.start", f"endpoint/{name}")
        return self.get(name)

    def delete(self, name: str, *, force: bool = False, reason: str = "") -> None:
        """Stop an endpoint and delete its files; its journal and its receipts stay.

        Raises `NotFound`, and `WrongState` where it serves and `force` is not given.
        """
        from core.releases.removal import delete_endpoint

        self._session.refuse_when_read_only("endpoints delete")
        delete_endpoint(self._session, name, force=force, reason=reason)
        self._workers.wake()

    def disagreements(self, name: str) -> DisagreementSummary:
        """Where the shadow of the last deployment and the champion disagree; nothing where it
        has had none. Raises `NotFound`, `EndpointUnavailable`."""
        last = _releases.find_endpoint(self._session.reader, name).deployment
        if last is None:
            return DisagreementSummary()
        return self._control(name).disagreements(endpointview.VIEW_SECONDS, last.revision)

    def invoke(
        self,
        name: str,
        body: bytes,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> InvokeReply:
        """Send one request; raises `NotFound`, `WrongState` (it never had a version),
        `EndpointUnavailable`, `RequestFailed`."""
        endpoint, control = _releases.find_endpoint(self._session.reader, name), self._control(name)
        if not endpoint.revisions and control.info() is None:
            raise WrongState(f"endpoint {name} serves nothing yet", "deploy a version to it")
        return control.invoke(body, content_type, headers)

    def _live(self, endpoint: Endpoint) -> Endpoint:
        return endpointview.live(endpoint, self._control(endpoint.name))


def _plain(value: Any) -> Any:
    """A setting as the journal keeps it."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return asdict(value) if isinstance(value, ScheduledBounds) else value


def _config(
    before: EndpointConfig, token: str | None, settings: Mapping[str, Any]
) -> EndpointConfig:
    """The settings with these changes. Raises `BadInput`."""
    unknown = [key for key in settings if key not in EndpointConfig.__dataclass_fields__]
    if unknown or "token_sha256" in settings:
        raise BadInput(f"no such setting: {', '.join(unknown) or 'token_sha256'}")
    config = replace(before, **settings)
    if token is not None:
        if token:
            check_token(token)
        digest = hashlib.sha256(token.encode()).hexdigest() if token else ""
        config = replace(config, token_sha256=digest)
    check_config(config)
    return config
