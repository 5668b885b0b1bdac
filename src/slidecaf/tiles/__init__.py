"""Where the patches of a slide are, and the file that says so."""
