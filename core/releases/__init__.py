"""Releases: bringing model versions to endpoints, step by step, and back at once."""
