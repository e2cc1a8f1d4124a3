"""One module per command: composes the steps and returns a result."""
