"""Calling AWS: clients made when first wanted, kept, refused writes where only reading is allowed.

Everything goes through `call` and `pages`, so that an error is ours in one line, every call is
written down, and a read-only account provably sends no write: the refusal stands in botocore's
own `before-call`, behind which there is only the network.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from core.aws.calls import Call, CallLog, target_of, writes
from core.aws.context import AwsContext
from core.aws.errors import NoAwsExtra, NoRegion, no_profile, translated
from core.errors import OpsdeckError, ReadOnly

if TYPE_CHECKING:
    import boto3

CONNECT_SECONDS = 5
READ_SECONDS = 20
ATTEMPTS = 4
POOL = 16
_REGIONLESS = "us-east-1"


class Account:
    """An AWS account and region, reached by a person's ordinary credentials. Thread-safe.

    `attempts` is how often a throttled or failed call is tried in all.
    """

    def __init__(
        self, context: AwsContext, *, read_only: bool = False, attempts: int = ATTEMPTS
    ) -> None:
        self.context = context
        self.read_only = read_only or context.read_only
        self.calls = CallLog()
        self._attempts = attempts
        self._clients: dict[tuple[str, str], Any] = {}
        self._making: dict[tuple[str, str], threading.Lock] = {}
        self._lock = threading.Lock()
        self._session_lock = threading.Lock()
        self._session: boto3.Session | None = None

    # who and where

    @property
    def name(self) -> str:
        """The context's name."""
        return self.context.name

    @property
    def simulated(self) -> bool:
        """Whether this is the simulated account, which answers on this machine only."""
        from urllib.parse import urlsplit

        host = urlsplit(self.context.endpoint_url).hostname or ""
        return host in ("127.0.0.1", "localhost", "::1")

    @cached_property
    def region(self) -> str:
        """The region; raises `NoRegion`."""
        region = self.context.region or self.session.region_name
        if not region:
            raise NoRegion(
                f"{self.name}: no region is set",
                "name one: --region eu-west-1, AWS_REGION, or region: of the context",
            )
        return str(region)

    @cached_property
    def identity(self) -> dict[str, str]:
        """Who this is to AWS: Account, Arn, UserId."""
        found = self.call("sts", "get_caller_identity")
        return {key: str(found[key]) for key in ("Account", "Arn", "UserId")}

    @property
    def account_id(self) -> str:
        """The twelve digits."""
        return self.identity["Account"]

    # calls

    def client(self, service: str, region: str = "") -> Any:
        """boto3's client, made when first wanted and kept. Prefer `call` and `pages`."""
        key = (service, region)
        found = self._clients.get(key)
        if found is not None:
            return found
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:  # clients of several services are made side by side
            if key not in self._clients:
                self._clients[key] = self._made(service, region or self.region)
            return self._clients[key]

    def call(self, service: str, operation: str, **parameters: Any) -> Any:
        """One call by boto3's name of the method, for example "describe_endpoint".

        Raises `ReadOnly` and the errors of `core.aws.errors`.
        """
        client = self.client(service)
        what = _what(client, operation, parameters)
        begun, error, sent = time.monotonic(), "", time.time()
        try:
            return getattr(client, operation)(**parameters)
        except OpsdeckError as refused:
            error = refused.code
            raise
        except Exception as raised:
            found = translated(raised, what, self.context)
            error = found.aws_code or found.code
            raise found from raised
        finally:
            self._wrote_down(what, parameters, sent, begun, error)

    def pages(self, service: str, operation: str, **parameters: Any) -> Iterator[Any]:
        """The pages of a listing, each fetched when it is asked for; one where it has no pages."""
        client = self.client(service)
        if not client.can_paginate(operation):
            token: str | None = None
            if not _tokened(client, operation):
                yield self.call(service, operation, **parameters)
                return
            while True:
                more = {"NextToken": token} if token else {}
                page = self.call(service, operation, **parameters, **more)
                yield page
                token = page.get("NextToken")
                if not token:
                    return
        what = _what(client, operation, parameters)
        source = iter(client.get_paginator(operation).paginate(**parameters))
        while True:
            begun, error, sent = time.monotonic(), "", time.time()
            asked = True
            try:
                page = next(source)
            except StopIteration:
                asked = False  # the last page said that there is no other
                return
            except OpsdeckError as refused:
                error = refused.code
                raise
            except Exception as raised:
                found = translated(raised, what, self.context)
                error = found.aws_code or found.code
                raise found from raised
            finally:
                if asked:
                    self._wrote_down(what, parameters, sent, begun, error)
            yield page

    def renew(self) -> None:
        """Forget clients and credentials: those there are now are taken at the next call."""
        self.close()
        with self._session_lock:
            self._session = None
        self.__dict__.pop("identity", None)

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            clients, self._clients = list(self._clients.values()), {}
        for each in clients:
            each.close()

    # how

    def _wrote_down(
        self, what: str, parameters: dict[str, Any], sent: float, begun: float, error: str
    ) -> None:
        service, _, operation = what.partition(" ")[0].partition(":")
        took = time.monotonic() - begun
        self.calls.add(Call(sent, service, operation, target_of(parameters), took, error))

    @property
    def session(self) -> boto3.Session:
        """boto3's session by the context: profile, then role."""
        with self._session_lock:
            if self._session is None:
                self._session = self._opened()
            return self._session

    def _opened(self) -> boto3.Session:
        try:
            import boto3
            from botocore.exceptions import BotoCoreError, ProfileNotFound
        except ImportError as error:
            raise NoAwsExtra(
                "AWS contexts need boto3, which is not installed",
                'install it: pip install "opsdeck[aws]"',
            ) from error
        context = self.context
        try:
            session = boto3.Session(
                profile_name=context.profile or None, region_name=context.region or None
            )
            if context.endpoint_url and not session.get_credentials():
                # A simulated account takes any keys; real ones are never sent to it.
                session = _of_nobody(context)
            return _assumed(session, context) if context.role_arn else session
        except ProfileNotFound as error:
            raise no_profile(context) from error
        except BotoCoreError as error:
            raise translated(error, "sts:AssumeRole", context) from error

    def _made(self, service: str, region: str) -> Any:
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, UnknownServiceError

        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": self._attempts, "mode": "standard"},
            max_pool_connections=POOL,
            user_agent_extra="opsdeck",
        )
        session = self.session
        if self.simulated:
            session = _of_nobody(self.context)  # nobody's real keys go to a local address
        try:
            client = session.client(
                service,
                region_name=region,
                endpoint_url=self.context.endpoint_url or None,
                config=config,
            )
        except (BotoCoreError, UnknownServiceError) as error:
            raise translated(error, f"{service}:client", self.context) from error
        if self.read_only:
            client.meta.events.register_first("before-call", self._refuse_writes)
        return client

    def _refuse_writes(self, model: Any, **_: Any) -> None:
        service, operation = model.service_model.service_name, model.name
        if writes(operation):
            raise ReadOnly(
                f"{service}:{operation}: {self.name} is read-only; nothing was sent",
                "start again without --read-only, or change the context",
            )


def _tokened(client: Any, operation: str) -> bool:
    """Whether a listing that botocore has no paginator of goes on by NextToken."""
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    into = model.input_shape.members if model.input_shape is not None else {}
    out = model.output_shape.members if model.output_shape is not None else {}
    return "NextToken" in into and "NextToken" in out


def _of_nobody(context: AwsContext) -> boto3.Session:
    import boto3

    return boto3.Session(
        aws_access_key_id="simulated",
        aws_secret_access_key="simulated",
        region_name=context.region or _REGIONLESS,
    )


def _assumed(session: boto3.Session, context: AwsContext) -> boto3.Session:
    """A session of the role, whose credentials are renewed by themselves."""
    import boto3
    import botocore.session
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

    source = session._session  # boto3 has no public way to a refreshing role
    more = {"ExternalId": context.external_id} if context.external_id else {}
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=source.create_client,
        source_credentials=source.get_credentials(),
        role_arn=context.role_arn,
        extra_args={"RoleSessionName": "opsdeck", **more},
    )
    inner = botocore.session.get_session()
    inner._credentials = DeferredRefreshableCredentials(
        method="assume-role", refresh_using=fetcher.fetch_credentials
    )
    region = context.region or session.region_name
    return boto3.Session(botocore_session=inner, region_name=region)


def _what(client: Any, operation: str, parameters: dict[str, Any]) -> str:
    """A call as "service:Operation" and, after a space, what it is about."""
    name = client.meta.method_to_api_mapping.get(operation, operation)
    return f"{client.meta.service_model.service_name}:{name} {target_of(parameters)}".strip()
