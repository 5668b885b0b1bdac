"""Deep convolutional activation features and linear SVMs for whole histopathology slides.

The recipe is that of Xu et al., "Deep convolutional activation features for large scale brain tumor
histopathology image classification and segmentation", ICASSP 2015. Packages import one way, as data flows::

    errors -> logs -> files -> study -> slides -> tiles -> features -> pooling -> scores
    -> classification, segmentation -> report, viewer, exchange, check -> running, demo -> commands

This file stays empty of imports, so that a script pays only for what it uses.
"""
