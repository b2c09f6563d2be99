"""Going from one context to another: the workspace, and the AWS accounts that are known here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from screens.background import Change

if TYPE_CHECKING:
    from core.aws.context import AwsContext
    from screens.deck import Deck

WORKSPACE = "workspace"
"""What the workspace is called among contexts."""


PASSING: dict[str, AwsContext] = {}
"""Contexts of this process alone: the demo's account."""


def all_contexts() -> list[AwsContext]:
    """Those of this process, those that are written down, and the profiles; reads files."""
    from core.aws.context import contexts

    return [*PASSING.values(), *contexts()]


def context_names() -> list[str]:
    """The names of all contexts."""
    return [context.name for context in all_contexts()]


def choose_context(deck: Deck, name: str) -> None:
    """Open the context of this name, or offer all there are; `BadInput` for an unknown one."""
    if name == WORKSPACE:
        deck.open_context("")
        return
    if name == deck.backend.name and not deck.backend.has_workers:
        deck.tell(f"{name} is what is open here")
        return
    from core.aws.context import find_context

    if name:
        if name not in PASSING:
            find_context(name)
        deck.open_context(name)
        return

    def offer(found: list[AwsContext]) -> str:
        from screens.dialogs.pick import Pick

        here = deck.backend.name
        on_aws = not deck.backend.has_workers
        options = [(WORKSPACE, "the workspace of this folder" if on_aws else "you are here")]
        options += [
            (each.name, "you are here" if on_aws and each.name == here else _said(each))
            for each in found
        ]
        deck.push_screen(Pick("Contexts", options), picked)
        return ""

    def picked(chosen: str | None) -> None:
        if chosen == WORKSPACE and deck.backend.has_workers:
            return
        if chosen is not None and chosen != deck.backend.name:
            deck.open_context("" if chosen == WORKSPACE else chosen)

    def read(_facade: Any) -> list[AwsContext]:
        return all_contexts()

    deck.change(Change("command", "look up the contexts", read, offer, reads=True))


def _said(context: AwsContext) -> str:
    parts = [context.environment, context.region]
    parts += [f"profile {context.profile}"] if context.profile else []
    parts += [context.role_arn.rpartition("/")[2]] if context.role_arn else []
    parts += ["read-only"] if context.read_only else []
    return ", ".join(part for part in parts if part)
