"""Files that survive: written whole or not at all, checked by their hash, locked by one process at a time."""
