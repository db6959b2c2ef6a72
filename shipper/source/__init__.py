"""From the node: targets, their files, and how far each is shipped."""
