"""Files: written whole or not at all, with checksums, and told apart by fingerprints.

Everything that slidecaf keeps on disk goes through here. Nothing in this room knows what a slide is.
"""
