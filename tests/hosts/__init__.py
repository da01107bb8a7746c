"""Models of programs that cannot run where tests do."""
