"""What time alone brings to light: kills, leaks, hostile bytes, bad networks, a backlog as large as a disk."""
