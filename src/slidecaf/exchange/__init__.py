"""Features in the layouts of other programs: written from one extraction, and read where these computed them."""

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""
