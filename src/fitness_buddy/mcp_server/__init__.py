"""Serve the athlete's data to agents over the Model Context Protocol (MCP); every tool only reads.

An MCP client is a language model, so every number comes from facts (``llm/facts.py``), from a look-up that is limited
to them, or from an explanation without Strava's API:

- ``replies``: the one form of every answer, and its limits.
- ``marts``: what all tools read: days, freshness, rows of facts, metrics.
- ``tools``: one method for each tool; it knows no protocol.
- ``server``: the only module that knows the SDK: tools, resources, prompts, deadlines.
- ``http``: the server on this machine's loopback address, with a token.
"""
