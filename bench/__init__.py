"""How fast the switch is, measured side by side with the limit, and how soon it answers again after a kill."""
