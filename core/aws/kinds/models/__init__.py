"""Models: the registry, deployable models, experiments, managed MLflow."""
