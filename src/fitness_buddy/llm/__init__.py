"""Language models: the client, the facts that a model may read, and the log of its calls."""
