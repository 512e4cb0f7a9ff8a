"""L1: values in, values out. From what is wanted to what every draw is."""
