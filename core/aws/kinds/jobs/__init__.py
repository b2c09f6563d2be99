"""SageMaker's jobs: training, tuning, Autopilot, processing and batch transform."""
