"""Meals as the athlete shows or tells them: weighed by a language model or as stated, corrected, drawn."""
