"""The DICOM conformance statement, made from the tables that the doors themselves use (PS3.2)."""
