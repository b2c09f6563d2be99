"""CloudWatch: alarms, metrics, logs and questions to them."""
