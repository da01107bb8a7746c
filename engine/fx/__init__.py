"""Effects on finished takes: chains, the plug-in host's process, scanning, and words turned into effects."""
