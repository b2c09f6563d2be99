"""A server process: what it holds, what it keeps of its requests, whom it obeys."""
