"""Measurements of speed beyond a steady rate."""
