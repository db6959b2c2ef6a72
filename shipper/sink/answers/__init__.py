"""What an answer of Loki says: of the request, and of its entries."""
