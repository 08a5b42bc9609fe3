"""What people run: gateway, embedded runtime, configuration, command line, metrics."""
