"""The Data mode: the catalogue of datasets, and everything that is known of one."""
