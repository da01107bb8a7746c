"""Ableton Live: an extension for its SDK, and a Remote Script for versions before it."""
