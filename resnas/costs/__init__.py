"""What a network costs: one file, one cost, made of pure rules by layer type."""
