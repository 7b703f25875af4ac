"""The report: a run or a search as one page, with its charts, its numbers and what they mean."""
