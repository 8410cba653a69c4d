"""The report of one athlete's day: read from the marts, shown in a terminal, as charts and as one HTML page."""
