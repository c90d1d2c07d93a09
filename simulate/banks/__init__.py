"""Phantoms as their responses, on disk: what estimators are trained, calibrated and tested on."""
