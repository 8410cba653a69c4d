"""Reminders: what a message asks for, the ledger of what is to be told, and telling it."""
