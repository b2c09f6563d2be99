"""The fixtures `aws`, `account` and `client` are those of tests/support/aws.py."""
