"""What a scanner makes of concentration: relaxation, spoiled gradient echo, frames, noise."""
