"""Pictures: pure functions that return a Figure."""
