"""A workspace's pipelines run in an AWS account: source and data are taken there, the run is
started once, and what becomes of it is mirrored here."""
