"""The parameter file as frozen types, checked."""
