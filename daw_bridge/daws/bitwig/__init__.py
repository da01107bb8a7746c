"""Bitwig Studio: a controller script."""
