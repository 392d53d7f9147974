"""Tests of the script that Orthanc loads, most of them in the real Orthanc."""
