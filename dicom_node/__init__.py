"""The DICOM node: its doors, and the way of a study between them."""
