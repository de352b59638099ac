"""What must hold after every step of a world? Each module watches one kind of promise."""
