"""Labelling captured rows, one at a time."""
