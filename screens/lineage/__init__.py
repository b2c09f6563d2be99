"""Lineage: what something was made from, what was made from it, what a change would break."""
