"""Outgoing messages, the persona of the buddy, and the channels."""
