"""Training sounds rendered on the fly, each with a caption that tells the truth about it."""
