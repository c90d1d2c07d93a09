"""What the command line does, as functions that a notebook can call as well."""
