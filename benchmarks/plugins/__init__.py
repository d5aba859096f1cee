"""Plugins that measures are made with."""
