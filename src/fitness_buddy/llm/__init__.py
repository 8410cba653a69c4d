"""The language model: its client, the facts that it may see, and the bill of its calls."""
