"""Audacity 3: a Nyquist plug-in that asks, and its scripting pipe, through which takes come back."""
