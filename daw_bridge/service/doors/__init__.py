"""The ways in: UDP, TCP and the spool folder, each of which only turns bytes into sessions and packets."""
