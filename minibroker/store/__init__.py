"""An append-only log of bytes in the files of one directory. Knows nothing of messages.

`filesystem` has the five methods that everything goes through, `record`, `frame` and `segment`
the formats, `log` writing and reading, `scan` and `recovery` opening, `reclaim` giving space back,
`reserve` the last room on a full disk, `lock` the one owner. The format is specified in
docs/log-format.md.
"""

from __future__ import annotations

from .filesystem import DiskFileSystem, File, FileSystem, copy_file, sync_directory
from .lock import DirectoryLock
from .log import FRAME_END, FRAME_HEADER, SEGMENT_SIZE, Log
from .reclaim import Rewriting, worth_rewriting
from .recovery import TEMPORARY, Recovery
from .reserve import Reserve
from .segment import Segment

__all__ = [
    "FRAME_END",
    "FRAME_HEADER",
    "SEGMENT_SIZE",
    "TEMPORARY",
    "DirectoryLock",
    "DiskFileSystem",
    "File",
    "FileSystem",
    "Log",
    "Recovery",
    "Reserve",
    "Rewriting",
    "Segment",
    "copy_file",
    "sync_directory",
    "worth_rewriting",
]
