"""What happens to a record between its source and the net: the transform_param of a data layer."""
