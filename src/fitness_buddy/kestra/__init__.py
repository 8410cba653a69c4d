"""Kestra: its API, the flows that a server runs, and the line that a task prints for it."""
