"""What has to outlive a broker: its facts as records of the log, and back.

`journal` takes what the model reports and gives it out in batches, through the `places` of queues;
`facts` and `messages` are the formats, `state` and `replay` what records amount to, `capture` and
`checkpoint` the same in one file, `storage` opens a directory, `restore` fills a broker from it.
"""

from __future__ import annotations

from .capture import capture, needed
from .journal import Batch, Journal
from .restore import restore
from .storage import Storage, open_storage

__all__ = ["Batch", "Journal", "Storage", "capture", "needed", "open_storage", "restore"]
