"""Demand for bikes, hour by hour: the code that the pipelines of this workspace name."""
