"""Géron's chapter 11, repeated: what it ran, what it printed, what comes out over seeds."""
