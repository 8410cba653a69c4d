"""From files and services into raw: windows, landing and loads. ``sources`` reads, ``services`` asks."""
