"""Virtual patients: one physical person each, from which every image and the outcome follow."""
