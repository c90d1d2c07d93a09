"""QTMnet against 2CXM and other estimators, on phantoms whose truth is known."""
