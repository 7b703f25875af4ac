"""The report's section on overfitting, in words; what the losses look like is drawn where training is told of."""

from luthier.report.markup import Html, join, tag
from luthier.report.overfitting_words import overfitting_words
from luthier.report.records import Records


def overfitting(records: Records) -> Html:
    found = records.scorecard.overfitting
    told = [tag("p", words) for words in overfitting_words(found, records.scorecard.metric)]
    return join(told)
