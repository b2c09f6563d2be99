"""The ways into a dataset: batches of files and queries, streams, and crawlers."""
