"""What is printed and carried offline: the registry signs with these codecs, verify reads with them."""
