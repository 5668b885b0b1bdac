"""Before a run: is a study in order, and what will it take."""
