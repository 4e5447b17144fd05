"""What the method is compared with: the neurons of ANNs, and their conversion to spiking nets."""
