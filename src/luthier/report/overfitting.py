"""The report's section on overfitting, in words; what the losses look like is drawn where training is told of."""

from luthier.report.markup import Html, join, tag
from luthier.report.overfitting_words import overfitting_words
from luthier.report.records import Records


def overfitting(records: Records) -> Html:
    scorecard = records.scorecard
    words = overfitting_words(scorecard.overfitting, scorecard.metric, scorecard.valid_from)
    told = [tag("p", one) for one in words]
    return join(told)
