"""Servers to compare with, each written in the ordinary way of its framework's documentation.

They speak the seed's protocol at the same paths, so that one client measures all, and do the least
that a chat server must: they know the caller by a token, store sessions and messages, pass the
history on to the model and its reply to the socket that asked. They have no second tab, no
resuming, no stop, no plugins and no metrics.
"""
