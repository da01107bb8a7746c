"""SuperCollider: a class with its help file."""
