"""Who is learned from and who is judged: folds that keep a patient together, and the proof that they do."""
