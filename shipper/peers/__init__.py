"""Asks a directory whose an address was: the agent's side of `shipper directory`."""
