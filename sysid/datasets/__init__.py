"""Series shipped with the package, generators, and readers for files."""
