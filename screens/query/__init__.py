"""The Query mode: SQL over datasets, its history and its results."""
