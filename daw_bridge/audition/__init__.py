"""Takes are heard here: a child process owns the sound device, the service asks it."""
