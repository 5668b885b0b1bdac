"""What became of a slide, as files and tables say it."""

STATUS_OK = "ok"
STATUS_NO_TISSUE = "no tissue"
STATUS_UNREADABLE = "unreadable"
STATUS_COPY = "copy"
STATUS_FEW = "few images"
