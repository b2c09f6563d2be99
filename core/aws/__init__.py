"""An AWS account and region as a context: what is there, and what can be done to it.

`core.aws.account` calls AWS; `core.aws.kinds` says, a kind of resource a module, how it is
listed, shown and acted on; screens and commands know kinds only. Nothing here imports boto3
before an account is opened.
"""
