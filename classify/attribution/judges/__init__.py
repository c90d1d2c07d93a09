"""How far an attribution can be believed: judges of it, each with what chance would reach."""
