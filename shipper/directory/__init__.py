"""`shipper directory`: tells the agents of a cluster which pod had which address when."""
