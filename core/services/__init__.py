"""One service a noun: what the command line and the screens alike can do."""
