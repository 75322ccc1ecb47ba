"""Arms as plain Keras models."""
