"""The engine: durable runs over step processes."""
