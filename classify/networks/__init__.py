"""Networks that classify volumes or numbers of regions: their layers, their architectures, their weights in files."""
