"""How networks are trained: the loop, its checkpoints, the devices that it runs on."""
