"""The commands of `resnas`, a file for each kind of work; `service.cli` puts them together."""
