"""Materialised views: queries over datasets whose rows are kept, and kept up."""
