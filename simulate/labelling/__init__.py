"""Arterial spin labelling: what labelled water leaves behind, in closed form and as series of volumes."""
