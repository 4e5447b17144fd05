"""One module or package per notebook, of its name: its table, its picture and the claims that rest on it."""
