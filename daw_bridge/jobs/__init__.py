"""Jobs as values: their states, the queue they wait in, and how long they take; no threads, no I/O."""
