"""Image data sets, held whole on one device as uint8."""
