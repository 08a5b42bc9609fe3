"""The protocol between terminals and the switch, sans-I/O; docs/protocol.md is its contract."""
