"""Labels from a few labelled vectors to many others: what synthesis and training share."""
