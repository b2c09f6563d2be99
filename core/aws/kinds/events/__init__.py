"""EventBridge's rules and SNS' topics: what starts things, and who is told."""
