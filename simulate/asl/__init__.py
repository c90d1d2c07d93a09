"""Arterial spin labelling: what labelled water leaves behind, in closed form, as series, on the flow of a bed."""
