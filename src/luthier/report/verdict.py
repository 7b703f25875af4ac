"""The report's first section: was it worth it, against what, by how much, how sure; then the key figures and all candidates."""

from luthier.report import numbers, sentences
from luthier.report.candidates import candidates
from luthier.report.key_figures import key_figures
from luthier.report.markup import Html, beside, join, tag
from luthier.report.records import Records


def verdict(records: Records) -> Html:
    scorecard = records.scorecard
    headline = "p.headline.ship" if scorecard.ship else "p.headline"
    said, more = sentences.verdict_words(scorecard), explained(records)
    if scorecard.in_short:
        more = join([tag("p", said), more])
    sentence = tag("p.lead", scorecard.in_short or said)
    return join(
        [
            beside(join([tag(headline, sentences.headline(scorecard)), sentence]), more),
            key_figures(records),
            candidates(records),
        ]
    )


def explained(records: Records) -> Html:
    """How sure the verdict is, whether the dearest candidate is worth its price, and how many were scored on these rows."""
    scorecard = records.scorecard
    metric = numbers.shown(scorecard.metric)
    told = {
        "How sure?": sentences.certainty(scorecard.verdict, metric) if records.compared else "",
        "Worth its price?": sentences.worth_words(scorecard),
        "Seen before?": scorecard.looks_words,
    }
    return join(tag("p", tag("strong", question), " ", words) for question, words in told.items() if words)
