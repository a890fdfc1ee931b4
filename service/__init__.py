"""The library behind HTTP: jobs, their database, the workers that run them."""
