"""Configurations in TOML, read strictly: the keys of every command."""
