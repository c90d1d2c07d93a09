"""Questions asked with the floors below, each one command: tracerflow experiment NAME."""
