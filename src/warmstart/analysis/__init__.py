"""Records -> numbers, sentences and pictures. Imports no TensorFlow."""
