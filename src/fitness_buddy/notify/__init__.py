"""A message, how the buddy speaks, and the way to a channel."""
