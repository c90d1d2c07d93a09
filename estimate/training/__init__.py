"""How networks are trained: the loop, and the devices that it runs on."""
