"""Features in the layouts of other programs: written from one extraction, and read where these computed them."""
