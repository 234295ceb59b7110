"""How a campaign goes and how long it takes, from its files alone and without torch."""
