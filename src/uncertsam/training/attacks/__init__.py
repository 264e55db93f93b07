"""Attackers that are trained against a decoder: they change style and outline of an image's objects (RUAC)."""
