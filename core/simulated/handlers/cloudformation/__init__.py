"""CloudFormation: change sets with what they would change, stacks that take time and can fail."""
