"""The method on a network and data of one's own: train, evaluate, save and load. `snnlib` itself has their names."""
