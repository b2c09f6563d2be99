"""A model version that is loaded: the path that answers its requests, and its batches."""
