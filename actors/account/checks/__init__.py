"""Checks: functions of state, request and policy that refuse, or say nothing. Services list them in their order."""
