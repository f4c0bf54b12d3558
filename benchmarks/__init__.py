"""One script per claim. Each prints a table and writes `results/*.json` with command, commit and machine."""
