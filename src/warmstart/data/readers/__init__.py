"""One reader for each kind of file: what is there, as it came."""
