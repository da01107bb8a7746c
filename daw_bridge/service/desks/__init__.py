"""The requests by what they are about: each desk knows how to answer some of them."""
