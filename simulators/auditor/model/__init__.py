"""The auditor's own rules, one module a service. They share no code with the switch's."""
