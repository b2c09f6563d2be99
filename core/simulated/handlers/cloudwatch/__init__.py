"""CloudWatch: metrics with percentiles and metric math, alarms that are evaluated by the clock.

Dashboards and insight rules are moto's.
"""
