"""Reports of an analysis: the page, its pictures, tables."""
