"""Running dbt: whole builds, slim builds, and what they gave."""
