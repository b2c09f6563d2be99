"""Distributions now and then: baselines, counting of windows, distances, and what is a drift."""
