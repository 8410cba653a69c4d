"""Operations: checks of raw, stale sources, the status of what is loaded."""
