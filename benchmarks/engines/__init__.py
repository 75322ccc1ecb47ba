"""The engines under measurement, each in a module with one function `run(job) -> Report`."""
