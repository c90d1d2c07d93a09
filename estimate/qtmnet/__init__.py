"""QTMnet: perfusion from a scan's own curves, without an arterial input."""
