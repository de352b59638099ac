"""What a running process tells of itself: metrics, health, the status, logs."""
