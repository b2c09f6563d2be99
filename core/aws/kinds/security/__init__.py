"""Who may read what, which keys are in use, and what is not encrypted."""
