"""The auditor: an independent model of what the switch must answer. It shares no code with the rule book.

It sees requests when they are sent and replies when they arrive, in any order, and knows nothing else. Where it cannot
know (has that unanswered purchase happened?), it keeps every possibility until an answer decides.
"""
