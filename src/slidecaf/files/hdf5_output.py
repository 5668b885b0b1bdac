"""The file that HDF5 writes to, of which HDF5 never hears that the disk is full.

A write that fails leaves HDF5 2.0 in a state in which closing the file, or the end of the process, crashes: on a full
disk jobs ended by a segmentation fault, without a word. So writes are done here, what goes wrong is kept, and it is
raised once HDF5 has let go of the file.
"""

import os


class Output:
    """A file object for ``h5py.File``.

    Parameters
    ----------
    path : path-like
        Made anew.

    Attributes
    ----------
    error : OSError or None
        Why a write failed, the first time. The file is worth nothing then.
    """

    def __init__(self, path):
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        self._place, self.error = 0, None

    def fileno(self):
        """Return the file's descriptor."""
        return self._file

    def seek(self, offset, whence=os.SEEK_SET):
        """Go to a place; HDF5 does so before each access."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: os.fstat(self._file).st_size}[whence]
        self._place = start + offset
        return self._place

    def tell(self):
        """Return the place."""
        return self._place

    def read(self, size):
        """Read what was written; by this h5py knows a file object."""
        return os.pread(self._file, size, self._place)

    def readinto(self, buffer):
        """Read what was written."""
        return os.preadv(self._file, [buffer], self._place)

    def write(self, data):
        """Write bytes, or keep why they could not be written."""
        data = memoryview(data).cast("B")
        done = 0
        try:
            while self.error is None and done < len(data):
                done += os.pwrite(self._file, data[done:], self._place + done)
        except OSError as error:
            self.error = error
        return len(data)

    def truncate(self, size):
        """Set the file's length, or keep why that was refused."""
        try:
            os.ftruncate(self._file, size)
        except OSError as error:
            self.error = self.error or error

    def flush(self):
        """Do nothing: nothing is held back here."""

    def check(self):
        """Raise what went wrong, if anything did."""
        if self.error is not None:
            raise self.error

    def close(self):
        """Close the file, once."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
