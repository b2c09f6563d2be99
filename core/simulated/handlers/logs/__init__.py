"""CloudWatch Logs: filter patterns, Insights queries; groups and streams are moto's."""
