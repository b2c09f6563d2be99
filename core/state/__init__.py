"""The state database: its tables, versions, reading and changing."""
