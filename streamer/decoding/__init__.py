"""How do a message's bytes become an event, whatever the bytes are?"""
