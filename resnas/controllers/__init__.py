"""How one training is steered towards its cost: one file, one controller."""
