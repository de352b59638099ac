"""What did the operator configure, and what is wrong with it?"""
