"""Errands: jobs for hosts whose scripts know files and commands, but no sockets."""
