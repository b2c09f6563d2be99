"""What a server process answers over HTTP, and how it reads what it is sent."""
