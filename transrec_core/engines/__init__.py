"""Where a run is worked out, and the folder that every engine leaves behind."""
