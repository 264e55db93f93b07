"""The variance network: a second read-out of the decoder that predicts the squared error of SAM's probability."""
