"""In which places is the core broken on purpose?"""
