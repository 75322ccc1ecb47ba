"""How should a deep network start? Compared with evidence, on your own data."""

__version__ = "0.1.0"
