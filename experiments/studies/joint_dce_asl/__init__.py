"""One phantom, one blood flow, two tracers: what spin labelling's absolute scale does for QTMnet."""
