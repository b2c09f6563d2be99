"""Checks for leakage: ways in which a model would see the answer it is to find."""
