"""A study to look into: deep zoom of its slides with maps and masks laid over them, served to a browser.

Everything is drawn on one grid of tiles (`zoom`), the slide (`slide_tiles`) as well as the layers (`fields`, `boxes`),
so that a layer's pixel lies on the slide's pixel at every zoom. `catalogue` says what a study has, `layers` finds
what a name of a layer stands for, `layer_files` reads regions of maps and masks, `decisions` chooses and sorts what a
classification decided, `server` answers the browser, and ``static/`` is the page.
"""
