"""Would the configuration work: are the parts there, and do they let us in?"""
