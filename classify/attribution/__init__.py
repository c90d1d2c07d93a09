"""What made a function of arrays say what it says, and how far such an answer can be believed."""
