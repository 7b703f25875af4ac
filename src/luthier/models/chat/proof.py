"""What training would learn of rendered rows, counted before the first step: nothing goes wrong without a word."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from luthier.errors import DataError, counted
from luthier.models.chat.rendered import REMARKS, Rendered

MOST = 0.1
"""The share of rows that may be of no use before a run is stopped."""
USELESS = ("turn-lost", "calls-lost", "tools-lost", "parts-lost", "unlocated")
"""Remarks that say that something of a row does not reach the model; the others say how it does."""


@dataclass(frozen=True)
class Proof:
    """Counts of rows and tokens, as they are trained on: cut at `limit`."""

    rows: int
    limit: int
    """The most tokens of a row that the model is given."""
    tokens: int
    """Tokens of all rows, up to the limit."""
    trained: int
    """Tokens among them that are learnt."""
    lost: int
    """Tokens beyond the limit, which are cut off."""
    lost_trained: int
    """Tokens among them that would have been learnt."""
    untaught: tuple[int, ...]
    """Rows of which no token is learnt, by number."""
    cut: tuple[int, ...]
    """Rows longer than the limit."""
    unended: tuple[int, ...]
    """Rows in which the last learnt answer does not end with a token that ends its turn."""
    remarks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Rows by what happened to them, among `REMARKS`."""
    name: str = "row"
    """What is counted: a row, or a conversation where a row has several."""

    @property
    def share(self) -> float:
        """Share of the tokens that are learnt."""
        return self.trained / self.tokens if self.tokens else 0.0

    def words(self) -> list[str]:
        """The proof as sentences; of what did not happen only that which a reader would ask for."""
        said = [
            f"{self.trained:,} of {self.tokens:,} tokens are learnt ({self.share:.1%}), in {counted(self.rows, self.name)}."
        ]
        if self.untaught:
            said.append(f"{having(self.untaught, self.name)} nothing to learn.")
        if self.cut:
            said.append(
                f"{having(self.cut, self.name)} more than {self.limit:,} tokens: {self.lost:,} tokens are cut off, "
                f"{self.lost_trained:,} of them to be learnt."
            )
        else:
            said.append(f"No {self.name} has more than {self.limit:,} tokens.")
        if self.unended:
            said.append(f"{having(self.unended, self.name)} an answer whose end is not learnt.")
        elif self.trained:
            said.append(f"The end of each {self.name}'s last answer is learnt.")
        said += [
            f"{counted(len(found), self.name)}: {REMARKS[remark]}." for remark, found in self.remarks.items()
        ]
        return said


def prove(rendered: Iterable[Rendered], end: Iterable[int], limit: int, name: str = "row") -> Proof:
    """Count what is learnt. `end` holds the token ids that end a turn; name: what is counted."""
    ends = frozenset(end)
    tokens = trained = lost = lost_trained = many = 0
    untaught, cut, unended = [], [], []
    rows_by_remark: dict[str, list[int]] = {}
    for row, one in enumerate(rendered):
        many += 1
        kept = one.trained[:limit]
        tokens, trained = tokens + len(kept), trained + sum(kept)
        lost, lost_trained = lost + len(one.ids) - len(kept), lost_trained + sum(one.trained[limit:])
        if not any(kept):
            untaught.append(row)
        elif not ended(one.ids[:limit], kept, ends):
            unended.append(row)
        if len(one.ids) > limit:
            cut.append(row)
        for remark in dict.fromkeys(one.remarks):
            rows_by_remark.setdefault(remark, []).append(row)
    by_remark = {remark: tuple(rows_by_remark[remark]) for remark in REMARKS if remark in rows_by_remark}
    return Proof(
        many,
        limit,
        tokens,
        trained,
        lost,
        lost_trained,
        tuple(untaught),
        tuple(cut),
        tuple(unended),
        by_remark,
        name,
    )


def ended(ids: Sequence[int], trained: Sequence[bool], ends: frozenset[int]) -> bool:
    """Whether the last learnt stretch of a row ends with a token that ends a turn; where all is learnt, whether one is in it.

    >>> ended([5, 6, 2, 7], [False, True, True, False], frozenset({2}))
    True
    >>> ended([5, 6, 2, 7, 8, 9], [False, True, True, False, True, True], frozenset({2}))
    False
    """
    if all(trained):
        return not ends.isdisjoint(ids)
    return (
        next(number for number, learnt in zip(reversed(ids), reversed(trained), strict=True) if learnt)
        in ends
    )


def refuse_nothing_learnt(proof: Proof) -> None:
    """Stop where no token of any row is learnt: the loss would be zero, and the model unchanged or worse."""
    if proof.trained:
        return
    if not proof.rows:
        reason = "There are no rows."
    elif proof.lost_trained:
        reason = (
            f"All {proof.lost_trained:,} tokens of answers stand behind the {proof.limit:,} tokens that the model is given. "
            "Shorten the prompts, or name a model with --model that reads more."
        )
    elif proof.remarks.get("unlocated"):
        reason = (
            "The answers cannot be found in what the chat template writes. "
            "Give the model another template, or learn all tokens."
        )
    elif proof.remarks.get("unlearnt"):
        reason = "All answers have weight 0 (or loss, train: false). Give those that are to be learnt another weight."
    else:
        reason = "No row has a turn of the assistant. Check the roles of the turns, or learn all tokens."
    raise DataError(f"All tokens are masked: none of the {proof.tokens:,} would be learnt. {reason}")


def stops(proof: Proof, most: float = MOST) -> list[str]:
    """What speaks against training on these rows: one sentence for each kind of trouble that more than a share of rows have."""
    return [
        f"{len(found):,} of {counted(proof.rows, proof.name)} ({len(found) / proof.rows:.0%}) {trouble}; at most {most:.0%} may."
        for trouble, found in troubles_of(proof, most).items()
    ]


def troubles_of(proof: Proof, most: float = MOST) -> dict[str, tuple[int, ...]]:
    """The rows of each kind of trouble that more than a share of the rows have."""
    troubles = {
        "teach nothing": proof.untaught,
        f"are longer than {proof.limit:,} tokens and lose their end": proof.cut,
        "have an answer whose end is not learnt": tuple(sorted({*proof.unended} - {*proof.cut})),
        **{f"lose something: {REMARKS[one]}": proof.remarks.get(one, ()) for one in USELESS},
    }
    return {trouble: found for trouble, found in troubles.items() if len(found) > most * proof.rows}


def what_mends(proof: Proof) -> str:
    """What to do about the troubles of which there are too many."""
    few = MOST * proof.rows
    lost = any(len(proof.remarks.get(one, ())) > few for one in USELESS)
    ways = []
    if len(proof.cut) > few:
        ways += ["shorten the prompts", "name a model with --model that reads more"]
    if lost:
        ways.append("name a model with --model whose chat template writes all of it down")
    if proof.remarks.get("unlearnt"):
        ways.append("give answers that are to be learnt another weight than 0")
    if not ways:
        ways.append("correct these rows")
    return f"{', or '.join(ways).capitalize()}."


def having(found: Sequence[int], name: str) -> str:
    """A number of rows as the beginning of a sentence.

    >>> having([4], "row"), having([4, 7], "row")
    ('1 row has', '2 rows have')
    """
    return f"{counted(len(found), name)} {'has' if len(found) == 1 else 'have'}"
