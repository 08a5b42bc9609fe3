"""A campus at lunch, driven through the wire alone, and the auditor that judges every reply."""
