"""Accuracy and inference time of ours, of direct training and of ANN-to-SNN conversion (Sec. 3.2, Table 2)."""
