"""Reports of one athlete: read from the marts, shown in a terminal, as charts, as an HTML page and as messages."""
