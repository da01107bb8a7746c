"""Models of what Live offers to scripts, made from what is published of it."""
