"""The account: what it is, what may be asked of it, what happened to it, and where the money went."""
