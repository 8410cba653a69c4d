"""Whether all is well: checks of raw, the heartbeat of sources, the status of what is loaded."""
