"""What stands on the wire: bytes to values and back. Knows no socket, no broker and no clock."""
