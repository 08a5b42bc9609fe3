"""Accounts and the shards that host them: rule books, turns, the journal and its stores."""
