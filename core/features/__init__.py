"""Feature views: one definition, read point in time offline and in microseconds online."""
