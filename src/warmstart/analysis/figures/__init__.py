"""The pictures of a report, each defined once: in pages, notebooks, MLflow and `dvc plots`."""
