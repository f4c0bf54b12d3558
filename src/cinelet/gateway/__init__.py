"""The HTTP service: authenticate, admit, answer. Nothing of torch, nothing of workers."""
