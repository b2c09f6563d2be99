"""The Monitors mode, a module a pane."""
