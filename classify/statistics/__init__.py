"""How well something is told apart, and how sure that is: areas under the curve, tables, calibration."""
