"""MLflow: a reader of our own for the front end, a helper process for what we write."""
