"""Captured requests and their labels: reading, exporting, deleting, merging, scoring.

The files are written by server processes (`core.serving.process.capture`), which may write,
and delete the oldest, at any moment. pyarrow is imported by the functions that need it, never here.
"""
