"""Looking at datasets: profiles, how they differ, samples, data cards.

Importing this package is cheap; polars loads when rows are looked at.
"""
