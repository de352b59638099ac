"""The edge: brings facts to the delivery core, carries out its commands, decides nothing."""
