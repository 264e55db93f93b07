"""A page to try it on: what is uncertain, by several methods side by side, and where to click next.

All but `page` and `serving` works without Gradio: plain functions over a `session.Session`.
"""
