"""The demo's story: four months of the bike-demand example in an AWS account.

`measured.json` holds what the example's own code printed and found (scripts/measure_bike.py).
"""
