"""The answer as DICOM: a Structured Report, and a picture of it for viewers that show none."""
