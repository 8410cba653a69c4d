"""Kestra: its API, the flows that a server runs, and what a task gives back to it."""
