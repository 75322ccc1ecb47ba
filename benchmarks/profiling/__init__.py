"""Where the processor's time of a whole run goes, process by process."""
