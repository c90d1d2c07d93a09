"""A block of tissue as transport sees it: vessels in the cells of a grid, and a capillary-tissue unit in each cell."""
