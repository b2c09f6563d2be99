"""A workspace's pipeline in AWS's words: SageMaker Pipelines, Step Functions, CloudFormation.

Pure: domain records in, JSON out, the same for the same. Nothing here calls AWS or imports its
libraries.
"""

from core.aws.compile.asl import state_machine
from core.aws.compile.definition import pipeline_definition
from core.aws.compile.lowering import lower
from core.aws.compile.target import PLACEHOLDERS, Target, target_of
from core.aws.compile.template import template

__all__ = [
    "PLACEHOLDERS",
    "Target",
    "lower",
    "pipeline_definition",
    "state_machine",
    "target_of",
    "template",
]
