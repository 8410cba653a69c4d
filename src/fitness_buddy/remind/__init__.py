"""Reminders, calendar events and the morning message: requests, the ledger, delivery."""
