"""Errors that a user can mend."""

SHOWN = 50
"""Problems of a sheet that an error's text lists."""


class SlidecafError(Exception):
    """What a user can mend: one sentence naming file, slide, column and value, then what to do.

    The workflow's scripts show the message without a traceback.
    """


class MachineError(SlidecafError):
    """A file that the machine did not give, by a disk, a missing leave or too little memory; it may be good.

    It is never taken for a bad slide or a damaged result.
    """


class SlideError(SlidecafError):
    """A slide that cannot be opened or read.

    With ``on_bad_slide: exclude`` the slide is left out and counted as wrong; otherwise the run fails
    after the other slides are done.
    """


class InputErrors(SlidecafError):
    """All that is wrong with a config or a sheet, at once.

    Parameters
    ----------
    source : str
        The file that is wrong.
    problems : list of str
        One sentence each; the text shows the first `SHOWN`.
    """

    def __init__(self, source, problems):
        self.source, self.problems = str(source), list(problems)
        count = f"{len(self.problems)} error" + ("s" if len(self.problems) > 1 else "")
        shown = self.problems[:SHOWN]
        if len(self.problems) > SHOWN:
            shown.append(f"and {len(self.problems) - SHOWN} more.")
        super().__init__("\n  ".join([f"{count} in {source}:", *shown]))
