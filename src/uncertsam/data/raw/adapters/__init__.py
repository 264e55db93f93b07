"""One module per raw layout. A new one is a new file here, with `Params` and `read`; nothing else names it."""
