"""Labels taken in from files: tables, reports, and the attributes of DICOM objects."""
