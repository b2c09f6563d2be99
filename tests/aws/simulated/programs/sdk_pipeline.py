"""Builds, upserts twice and starts a pipeline with the SageMaker SDK; prints the execution."""

from __future__ import annotations

import sys

import boto3
from sagemaker.core.processing import Processor
from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep
from sagemaker.train.configs import Compute, OutputDataConfig, StoppingCondition
from sagemaker.train.model_trainer import ModelTrainer

ROLE = "arn:aws:iam::123456789012:role/worker"


def main() -> int:
    session = PipelineSession(boto_session=boto3.Session(), default_bucket="opsdeck-data")
    least = ParameterFloat(name="Least", default_value=0.5)
    instance = ParameterString(name="Instance", default_value="ml.m5.large")
    trainer = ModelTrainer(
        training_image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/train:1",
        compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=10),
        output_data_config=OutputDataConfig(s3_output_path="s3://opsdeck-data/models"),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=3600),
        hyperparameters={"eta": "0.1"},
        sagemaker_session=session,
        role=ROLE,
        base_job_name="train",
    )
    train = TrainingStep(name="Train", step_args=trainer.train())
    processor = Processor(
        role=ROLE,
        image_uri="evaluate",
        instance_count=1,
        instance_type=instance,
        sagemaker_session=session,
        entrypoint=["python3", "/opt/evaluate.py"],
    )
    asked = processor.run(arguments=["--model", train.properties.ModelArtifacts.S3ModelArtifacts])
    good = ConditionStep(
        name="Good",
        conditions=[ConditionGreaterThanOrEqualTo(left=least, right=0.4)],
        if_steps=[ProcessingStep(name="Evaluate", step_args=asked)],
        else_steps=[FailStep(name="Refuse", error_message=Join(on=" ", values=["only", least]))],
    )
    pipeline = Pipeline(
        name="sdk", parameters=[least, instance], steps=[train, good], sagemaker_session=session
    )
    pipeline.upsert(role_arn=ROLE)
    pipeline.upsert(role_arn=ROLE)
    for value in (0.45, 0.3):
        print(pipeline.start(parameters={"Least": value}).arn)
    return 0


if __name__ == "__main__":
    sys.exit(main())
