"""Sidecars after BIDS: found by its inheritance principle, read strictly, with the user's --set on top."""
