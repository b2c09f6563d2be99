"""What waits for a person in an AWS account."""
