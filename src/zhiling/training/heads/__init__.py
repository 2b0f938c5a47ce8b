"""Networks that stand on the encoder, where one linear layer is not enough."""
