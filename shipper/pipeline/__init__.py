"""From blocks to entries: no I/O, no asyncio, no clock."""
