"""What `netcli db` does, a command a file."""
