"""Step Functions: state machines, their executions, and what happened in those."""
