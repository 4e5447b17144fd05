"""One module per figure: a tidy table in, a matplotlib ``Figure`` out."""
