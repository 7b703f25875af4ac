"""Formats of files of rows, each read by itself: from bytes to the columns of a Table."""
