"""Which logs there are, and which directories have changed."""
