"""SageMaker's feature store: groups, records online, rows offline."""
