"""The console on an AWS account: kinds of resources as tabs of the same modes."""
