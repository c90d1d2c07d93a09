"""Blood flow: how much, under which pressure, with how many red cells."""
