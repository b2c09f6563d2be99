"""The console on an AWS account: its modes, its header, what can be typed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from core.aws.context import config_dir
from core.errors import OpsdeckError
from screens.aws.details import Details
from screens.backend import Backend
from screens.background import Head
from screens.registry import MODES
from screens.widgets.lines import Piece

if TYPE_CHECKING:
    from textual.screen import Screen

    from core.aws.account import Account
    from screens.deck import Deck


def _screen_of(mode: str) -> Screen[Any]:
    if mode == "pulse":
        from screens.aws.pulse import PulseScreen

        return PulseScreen()
    from screens.aws.screen import KindsScreen

    return KindsScreen(mode)


class AwsBackend(Backend):
    """An account. What AWS is asked for the header is asked in a thread of its own."""

    abandons = True

    def __init__(self, account: Account) -> None:
        self.facade = account
        self.account = account
        self.details = Details()
        self.screens = {mode: partial(_screen_of, mode) for mode in MODES}
        self.log_path = config_dir() / "console.log"
        self.account_id = ""
        self.region = account.context.region
        self._who = ""
        self._asked = False

    @property
    def name(self) -> str:
        return self.account.name

    @property
    def environment(self) -> str:
        return self.account.context.environment

    @property
    def actor(self) -> str:
        return self._who

    @property
    def read_only(self) -> bool:
        return self.account.read_only

    @property
    def has_workers(self) -> bool:
        return False

    def badges(self) -> Sequence[Piece]:
        simulated: list[Piece] = (
            [(" SIMULATED ", "badge.staging"), (" ", "text")] if self.account.simulated else []
        )
        refusing: list[Piece] = (
            [(" READ-ONLY ", "badge.read"), (" ", "text")] if self.read_only else []
        )
        where = " ".join(part for part in (self.account_id, self.region) if part)
        return [(" ", "text"), *simulated, *refusing, (where, "text")]

    def version(self) -> Any:
        return None

    def head(self) -> Head:
        if not self._asked:
            self._asked = True
            threading.Thread(target=self._ask_who, name="opsdeck-identity", daemon=True).start()
        return Head()

    def renew(self) -> None:
        """Take the credentials anew, and ask again who this is."""
        self.account.renew()
        self._asked = False

    def _ask_who(self) -> None:
        """Region, account and identity; where they are not told, the screens say why."""
        try:
            self.region = self.account.region
            identity = self.account.identity
        except OpsdeckError:
            return
        self.account_id = identity["Account"]
        self._who = short_identity(identity["Arn"])

    def command(self, deck: Deck, text: str) -> None:
        from screens.aws.commands import run_command

        run_command(deck, text)

    def read_names(self, _facade: Any) -> Any:
        from screens.aws.commands import read_names

        return read_names()

    def complete(self, names: Any, text: str, *, read_only: bool) -> Sequence[str]:
        from screens.aws.commands import complete

        return complete(names, text)


def short_identity(arn: str) -> str:
    """The end of an identity's ARN: `user/ann`, `role/ml-engineer/ann`."""
    return arn.rpartition(":")[2].replace("assumed-role/", "role/") or arn
