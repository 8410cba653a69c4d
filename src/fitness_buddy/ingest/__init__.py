"""Load files and services into raw: windows, landing, loads. ``sources`` has readers, ``services`` API clients."""
