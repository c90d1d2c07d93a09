"""Files in and out: images with their affines, BIDS sidecars, HDF5, folders of pieces; whole or not at all."""
