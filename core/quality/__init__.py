"""What is expected of datasets: files of expectations, the gate before a commit, quarantine.

Importing this package is cheap; polars, pandera and DuckDB load with `core.quality.gate` and
`core.quality.validating`.
"""
