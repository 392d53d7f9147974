"""Single images back from where they are archived: by C-GET, by C-MOVE, or from Orthanc."""
