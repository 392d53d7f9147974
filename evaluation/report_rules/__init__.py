"""Labels from the text of radiology reports, by rules that stand in a file of their own.

``rules.load`` reads the rules (``english.toml``), ``reading.labels_of`` applies them to a report,
and ``structured.read_document`` takes text and coded findings out of a Structured Report.
docs/labels.md says what the rules do and where they fail.
"""
