"""Extraction: from a slide's patches to one feature vector a patch."""
