"""Bytes: OSC packets, and their frames in a TCP stream; no sockets here."""
