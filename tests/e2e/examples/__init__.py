"""Three worked examples; `README.md` beside this file leads through them."""
