"""Run dbt: full builds, slim builds, and their results."""
