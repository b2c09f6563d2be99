"""A release as it stands: what is drawn of it, in Deploys and on a screen of its own."""
