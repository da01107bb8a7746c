"""Any other DAW: a watched folder, and the program as external editor."""
