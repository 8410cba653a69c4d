"""Meals that the athlete shows or describes: estimated, stated, corrected, deleted, drawn."""
