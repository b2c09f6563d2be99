"""Endpoints, what they serve by, and what is done to them."""
