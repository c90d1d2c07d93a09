"""Arterial and venous trees over the same terminals inside any mask."""
