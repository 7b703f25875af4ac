"""The settings of a plan that say something of rows that are only asked of a finished model, as `luthier judge` does."""

ASKED = (
    *(
        "data.text",
        "data.text2",
        "data.question",
        "data.negative",
        "data.image",
        "data.label",
        "data.columns",
    ),
    *("data.group", "data.encoding", "data.delimiter", "data.quoting", "data.decimal", "data.missing"),
    *("data.images", "data.long", "task.name", "task.labels_per_row", "task.metric", "task.language"),
    *("task.max_tokens", "task.pattern", "task.system", "run.out", "run.seed", "run.device", "run.threads"),
)
