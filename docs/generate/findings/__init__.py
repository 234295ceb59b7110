"""The page with the findings of the published boards: `python -m docs.generate.findings` prints it."""
