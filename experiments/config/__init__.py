"""Configurations in TOML, read strictly: what the commands can be told."""
