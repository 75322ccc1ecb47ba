"""One module per stage of the pipeline; none of them knows who calls it."""
