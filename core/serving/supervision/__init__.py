"""The supervisor's side: its processes, what they should be doing, what it watches."""
