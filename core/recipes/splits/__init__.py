"""Splits of a frame into train, valid and test: by time, group, stratum, hash or at random."""
