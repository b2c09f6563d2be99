"""The windows of the week that a release waits for; an endpoint's schedule has the same."""

from core.windows import Window, parse_window

__all__ = ["Window", "parse_window"]
