"""Elements of the OME-XML in a TIFF file, of any version of the schema."""

from xml.etree import ElementTree


def read_ome(tiff):
    """Parse the OME-XML of a file.

    Parameters
    ----------
    tiff : tifffile.TiffFile
        With `is_ome`.

    Returns
    -------
    xml.etree.ElementTree.Element
    """
    return ElementTree.fromstring(tiff.ome_metadata)  # noqa: S314  expat bounds what it expands


def elements(node, tag):
    """Yield the elements below a node that have a name, in whatever namespace.

    Parameters
    ----------
    node : xml.etree.ElementTree.Element
    tag : str

    Yields
    ------
    xml.etree.ElementTree.Element
    """
    return (one for one in node.iter() if one.tag.rpartition("}")[2] == tag)
