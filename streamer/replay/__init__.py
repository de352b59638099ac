"""Reading dead letters and sending again: what the commands for them are made of."""
