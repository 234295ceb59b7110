"""Published boards: what a suite demands, submissions, their checks, verifications, and the board that they make."""
