"""How jobs are planned, run and compared. Nothing here loads Keras."""
