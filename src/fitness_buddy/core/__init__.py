"""What every room uses: errors, the clock, settings, state, HTTP, retries and redaction."""
