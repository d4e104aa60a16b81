"""Held-out users → metrics → intervals → verdict."""
