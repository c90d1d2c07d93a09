"""Arterial spin labelling: from control and label to cerebral blood flow and arrival times."""
