"""CodePipeline: executions that run through their stages by the clock, and approvals.

Pipelines themselves (create, get, list, update, tags) are moto's.
"""
