"""The Alerts mode: triage as people on call know it."""
