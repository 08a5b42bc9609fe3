"""Requests about a terminal itself: they need no account, and are placed by the terminal's number."""
