"""What runs, endpoints and services cost."""
