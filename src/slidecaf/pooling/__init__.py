"""From many vectors a slide, one for each patch, to one vector: p-norms (`norms`), and their file (`file`)."""
