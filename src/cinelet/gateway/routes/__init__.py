"""The HTTP paths, one file a noun. Each takes what it needs from the `Door` of its request."""
