"""The services that hold an athlete's data: how to log in, ask, wait and give up. Nothing here knows a warehouse."""
