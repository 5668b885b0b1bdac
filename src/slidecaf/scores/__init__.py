"""How good predictions and masks are, with intervals and paired tests."""
