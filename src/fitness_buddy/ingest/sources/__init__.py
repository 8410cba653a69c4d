"""Read the files of an athlete into records, one module for each source.

A reader checks every value that staging will convert, so that a bad row is refused with its place in the file. It
rewrites only spelling: header names, date formats, decimal commas. Units, types, local days and the choice between
versions are decided in dbt.
"""
