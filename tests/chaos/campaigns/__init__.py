"""One campaign a module, its question in the first line of its docstring."""
