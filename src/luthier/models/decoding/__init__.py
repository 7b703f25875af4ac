"""How a decoder writes: keys and values that are kept, beginnings that are shared, tokens that are chosen."""
