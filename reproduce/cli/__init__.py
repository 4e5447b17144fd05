"""The command line: each module has the commands of one concern, `commands` their names."""
