"""What comes on top of a screen: questions, sheets, help, errors."""
