"""Pure Data: abstractions with help patches."""
