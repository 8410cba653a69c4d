"""Sources: one small module each, from an athlete's files to records. They settle spelling; staging settles meaning.

A reader checks every value that staging will convert, so that a bad row is refused with its place in the file,
and rewrites only spelling: header names, date formats, decimal commas. Units, types, local days and the choice
between versions are left to dbt.
"""
