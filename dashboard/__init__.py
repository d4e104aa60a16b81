"""The browser face of transrec: pages tell, components ask, charts draw, the core thinks."""
