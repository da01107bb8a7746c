"""The service seen from a program of this machine: found or started, asked, and listened to."""
