"""The report's section on overfitting: sentences, and training and validation losses side by side."""

from luthier.folder.looked_into_records import Course
from luthier.report import numbers
from luthier.report.markup import Column, Html, join, table_or_details, tag
from luthier.report.overfitting_words import overfitting_words
from luthier.report.records import Records


def overfitting(records: Records) -> Html:
    found = records.scorecard.overfitting
    told = [tag("p", words) for words in overfitting_words(found, records.scorecard.metric)]
    course = None if found is None else found.course
    return join([*told, curve(course, records.scorecard.metric)])


def curve(course: Course | None, name: str) -> Html:
    """The validations in numbers; what they look like is drawn where training is told of."""
    if course is None or not course.curve:
        return Html("")
    metric = numbers.shown(name)
    titles = ("Step", "Epoch", "Loss on training rows", "Loss on validation rows", metric.title)
    columns = [*[Column(title, number=True) for title in titles], Column("Note")]
    rows = [
        (
            numbers.count(one.step),
            f"{one.epoch:.2f}" if one.epoch is not None else numbers.NOTHING,
            numbers.three(one.train_loss),
            numbers.three(one.loss),
            metric.show(one.score),
            "taken" if one.step == course.best_step else "",
        )
        for one in course.curve
    ]
    caption = "Losses of training rows, as they were learnt from (the mean since the validation before), and of validation rows"
    return table_or_details(caption, columns, rows)
