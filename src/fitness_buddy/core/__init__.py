"""What every room uses: errors, the clock, settings, state, HTTP and redaction."""
