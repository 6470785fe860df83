"""Simulate, predict, filter, smooth and forecast, one published algorithm a file."""
