"""What is wrong with an installation and its data, and what can be done about it."""
