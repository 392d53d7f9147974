"""The DICOM upper layer as an acceptor speaks it (PS3.8), and the DIMSE messages it takes (PS3.7).

Nothing here knows of the spool, the settings or the database.
"""
