"""What MLflow costs: the parts of `benchmarks/tracking.py`."""
