"""Manual features: SIFT, local binary patterns and an L*a*b* colour histogram, 186 values a patch.

They are what the paper compares its network's features with (Xu et al., ICASSP 2015, section 5.2).
"""

ENCODER = "SIFT + LBP + L*a*b*"
"""What a features file calls what made them."""
