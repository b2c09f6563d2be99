"""The keys of an endpoint and its release, the same in the list and on its own screen."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from screens.actions import Action
from screens.base import ModeScreen

if TYPE_CHECKING:
    from core.domain.release import Endpoint

ROOMY = 34
"""From so many lines of the screen on a release is laid out with room between its parts."""


class EndpointKeys(ModeScreen):
    """A screen on which one endpoint is selected: the method `do_<what>` of each action."""

    @property
    @abstractmethod
    def endpoint(self) -> Endpoint | None:
        """The selected endpoint, with its history where it has been read."""

    def handler(self, action: Action) -> Callable[[], None] | None:
        if action.scope != self.scope:
            return super().handler(action)
        found = getattr(self, "do_" + action.id.partition(".")[2], None)
        return cast("Callable[[], None] | None", found)

    def do_rollback(self) -> None:
        """Open the rollback sheet: then `y` rolls back."""
        from screens.dialogs.rollback import RollbackSheet
        from screens.registry import REGISTRY

        if self.endpoint is not None:
            command = REGISTRY["deploys.rollback"].command_line(self.deck.context)
            self.deck.push_screen(RollbackSheet(self.endpoint.name, command))

    def do_promote(self) -> None:
        """On to the next step."""
        from screens.rollouts import changes

        if self.endpoint is not None:
            changes.promote(self.deck, self.endpoint, full=False)

    def do_full(self) -> None:
        """All traffic to the new version."""
        from screens.rollouts import changes

        if self.endpoint is not None:
            changes.promote(self.deck, self.endpoint, full=True)

    def do_hold(self) -> None:
        """Stop it where it is."""
        from screens.rollouts import changes

        if self.endpoint is not None:
            changes.hold(self.deck, self.endpoint)

    def do_weight(self) -> None:
        """Set the new version's share of the traffic."""
        from screens.rollouts import changes

        if self.endpoint is not None:
            changes.weight(self.deck, self.endpoint)

    def do_abort(self) -> None:
        """All traffic back to the stable version."""
        from screens.rollouts import changes

        if self.endpoint is not None:
            changes.abort(self.deck, self.endpoint)

    def do_url(self) -> None:
        """Copy the endpoint's address."""
        endpoint = self.endpoint
        if endpoint is None or not endpoint.url:
            self.deck.tell("▲ the endpoint has no address yet", "warn")
            return
        self.deck.copy_to_clipboard(endpoint.url)
        self.deck.tell(f"copied {endpoint.url}")
