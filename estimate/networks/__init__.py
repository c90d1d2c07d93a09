"""Layers that learnt estimators and classifiers share, and their weights in files."""
