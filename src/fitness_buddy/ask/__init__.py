"""Questions about one's own data and the project's docs.

A language model may choose what is looked up; it never sees what is found:

- ``catalogue``: what can be asked, as the project's semantic models have it; no data of anybody.
- ``choice``: one thing to look up, checked against the catalogue.
- ``chooser``: the only module that speaks to a model. It knows questions, the catalogue and sections of the docs.
- ``statement``: the SQL of a choice, by MetricFlow. ``lookup`` runs it and makes the sentence: no model here.
- ``passages``: sections of the docs that fit a question.
"""
