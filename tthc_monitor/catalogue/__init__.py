"""Reads catalogues of procedures: the national portal's exports, and an office's own file of time limits."""
