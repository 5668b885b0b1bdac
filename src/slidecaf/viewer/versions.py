"""What tells one state of some files from another."""

from pathlib import Path


def files_version(files) -> str:
    """Return what changes when any of some files does, and says nothing else about them: digits, or nothing."""
    found = [path.stat() for path in map(Path, files) if path.is_file()]
    return "-".join(f"{status.st_mtime_ns:x}.{status.st_size:x}" for status in found)
