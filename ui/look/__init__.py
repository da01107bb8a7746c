"""How everything looks: one scale of spacings and type, colours in light and dark, icons."""
