"""Delivery: CodePipeline, CodeBuild, CodeDeploy, CodeCommit, ECR, CloudFormation."""
