"""Answer questions about the athlete's own data and about the project's docs.

A language model may choose what is looked up; it never sees the result:

- ``question``: from a question to an answer; it knows no warehouse.
- ``catalogue``: what can be asked, read from the semantic models; no athlete's data.
- ``choice``: one thing to look up, checked against the catalogue.
- ``chooser``: the only module that calls a language model. It gets questions, the catalogue and sections of the
  docs.
- ``statement``: the SQL of a choice, by MetricFlow. ``lookup`` runs it and writes the sentence: no language model
  here.
- ``passages``: sections of the docs that fit a question.
"""
