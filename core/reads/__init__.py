"""Queries that turn rows of the state into domain records (plain SQL, nothing heavy)."""
