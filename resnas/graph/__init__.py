"""Any CNN, rewritten with torch.fx."""
