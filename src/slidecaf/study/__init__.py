"""A study: its config, its sheets, and where every result lies.

What is decided before any pixel is read stands here.
"""
