"""How fast the switch is, measured side by side with the limit."""
