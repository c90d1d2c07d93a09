"""From measured signal to concentration: T1, baseline, masks, errors, and a series as its voxels."""
