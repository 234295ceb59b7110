"""Pictures of an experiment, each with the table of numbers it is drawn from."""
