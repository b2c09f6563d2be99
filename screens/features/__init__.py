"""The Features mode: feature views, how far they lag, what they answer online and offline."""
