"""SageMaker Pipelines: pipelines, their executions, and the steps of those."""
