"""Files of rows, each format by itself: from bytes to the columns of a Table."""
