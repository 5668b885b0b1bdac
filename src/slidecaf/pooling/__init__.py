"""One vector a slide: norms of its patches' vectors, and their file."""
