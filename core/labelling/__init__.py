"""The labelling queue: rows of captured traffic for people, by turns, and what they say."""
