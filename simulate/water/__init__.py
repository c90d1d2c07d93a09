"""Labelled water through the same bed as contrast."""
