"""Layers that learnt estimators and classifiers share."""
