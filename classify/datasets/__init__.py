"""Cohorts as tables: who there is, where the images are, and what is known of each."""
