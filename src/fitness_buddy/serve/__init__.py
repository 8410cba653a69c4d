"""Serve the pages of :mod:`fitness_buddy.report.site` on this machine, and take files to load."""
