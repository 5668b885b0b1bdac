"""Encoders: a network, one of its layers and its weights, turned into one vector a patch."""
