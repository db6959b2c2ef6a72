"""What the agent costs, measured: against the floor of the machine, and against other shippers."""
