"""What can be done on the screens of an AWS account. Keys of verbs get the verb's own name."""

from __future__ import annotations

from screens.actions import Action

VERB = "aws.verb."
VERB_KEYS = ("s", "a", "X", "R", "u", "w", "x")
"""Keys that verbs of a kind may have; `n` is that of the verbs which need no resource."""

_SLOTS = {
    "s": "Start", "a": "Approve", "X": "Reject", "R": "Roll back", "u": "Resume", "w": "Weights",
    "x": "Stop",
}  # fmt: skip

ACTIONS = (
    Action(
        "aws.open", "", "Open", "aws", "what is below it, or all that is known of it",
        shown="⏎", rank=1,
    ),
    Action("aws.next", "tab", "Next", "aws", "the next kind of this mode", rank=9),
    Action("aws.before", "shift+tab", "Before", "aws", "the kind before", shown="⇧tab"),
    Action("aws.logs", "l", "Logs", "aws", "what it printed", rank=3),
    Action("aws.pane", "d", "Describe", "aws", "show or hide the description beside", rank=7),
    Action("aws.full", "i", "All of it", "aws", "the description on a screen of its own", rank=6),
    Action("aws.raw", "J", "JSON", "aws", "as AWS told it"),
    Action(
        "aws.new", "n", "New", "aws", "make a new one", changes=True, group="change", rank=4,
        command="opsdeck aws new {kind} {verb}",
    ),
    *(
        Action(
            f"{VERB}{key}", key, _SLOTS[key], "aws", "", changes=True, group="change",
            rank=5, command="opsdeck aws do {kind} {ref} {verb}",
        )
        for key in VERB_KEYS
    ),
    Action("aws.menu", "m", "More", "aws", "all that can be done to it", rank=8),
)  # fmt: skip

PULSE = (
    Action("awspulse.open", "", "Open", "awspulse", "go to what is selected", shown="⏎", rank=1),
    Action("awspulse.next", "", "Next pane", "awspulse", "to the next pane", shown="tab", rank=2),
)
