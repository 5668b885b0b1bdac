"""Where the patches of a slide are: their grid (`grid`), which of them are white (`tissue`), their file (`file`)."""
