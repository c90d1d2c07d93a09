"""Arterial inputs: of a population, drawn at random, and what vessels do to a curve on its way."""
