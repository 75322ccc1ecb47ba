"""Where and how trials run. Nothing here decides a byte of a record."""
