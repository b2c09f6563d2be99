"""Prices, and what was spent by the hours of jobs, endpoints and builds.

The prices are simulated: rounded figures of the size of AWS's, for a handful of instance types.
"""
