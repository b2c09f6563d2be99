"""Monitors: files that define them, windows of rows, baselines, and running them."""
