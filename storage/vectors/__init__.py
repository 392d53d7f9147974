"""Vectors of one space, and who is nearest among them: the engines, and the file they start from.

Nothing here knows of studies or of SQL; ``storage.index`` keeps it in step with the database.
"""
