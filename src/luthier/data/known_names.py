"""Names that people give to columns of texts, of labels and of numbers."""

TEXT_NAMES = (
    *(
        "text",
        "sentence",
        "review",
        "comment",
        "message",
        "tweet",
        "utterance",
        "question",
        "query",
        "content",
    ),
    *("body", "document", "article", "description", "abstract", "summary", "sentence1", "title"),
)
"""Names of columns of texts in order of preference; compared in small letters, with `_` between words."""
SURE_TEXT_NAMES = TEXT_NAMES[:8]
"""Names by which a column is the text even if another column has longer texts."""
LABEL_NAMES = (
    *(
        "label",
        "labels",
        "gold_label",
        "class",
        "classes",
        "category",
        "categories",
        "target",
        "intent",
        "sentiment",
    ),
    *("emotion", "topic", "genre", "rating", "stars", "tag", "tags"),
)
"""Names of columns of labels in order of preference. A column is also known by the last word of its name, or by `class` in it."""
NEVER_LABELS = (
    *("id", "index", "split", "fold", "lang", "language", "source", "date", "year", "url"),
    *(
        "doc",
        "document",
        "group",
        "user",
        "author",
        "time",
        "timestamp",
        "annotator",
        "confidence",
        "uuid",
        "key",
    ),
)
"""Last words of names of columns whose values may repeat as those of labels do."""
SCORE_NAMES = (
    *(
        "score",
        "similarity",
        "similarity_score",
        "relatedness",
        "relatedness_score",
        "value",
        "target",
        "price",
        "label",
    ),
    *("gold_score", "gold", "rating", "points", "grade"),
)
"""Names of columns that hold a number to be learnt, in order of preference."""
