"""Tables, progress and catalogues for the terminal."""
