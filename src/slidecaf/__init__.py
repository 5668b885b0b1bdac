"""Deep convolutional activation features and linear SVMs for whole histopathology slides.

The recipe is that of Xu et al., "Deep convolutional activation features for large scale brain tumor
histopathology image classification and segmentation", ICASSP 2015. Modules import one way::

    errors, logs, versions, config -> sheets -> slides -> store -> tiling -> encoders -> extraction
    -> pooling -> folds -> scores -> selection -> svm -> choice

This file stays empty of imports, so that a script pays only for what it uses.
"""
