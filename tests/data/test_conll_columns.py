"""Which columns of a CoNLL file hold the tokens and the tags: numbered ones, nested tags, predictions, and what is none."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from luthier.data.read import read
from luthier.data.table import Table
from luthier.errors import DataError

WORDS = (("Anna", "B-PER"), ("visits", "O"), ("Bonn", "B-LOC"), ("again", "O"))


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Table]:
    monkeypatch.chdir(tmp_path)

    def table(name: str, content: str) -> Table:
        Path(name).write_text(content)
        return read(name)

    return table


@pytest.fixture
def refusal(table: Callable[[str, str], Table]) -> Callable[[str, str], str]:
    def refusal(name: str, content: str) -> str:
        with pytest.raises(DataError) as error:
            table(name, content)
        return str(error.value)

    return refusal


def sentences(line: str, count: int = 6, above: str = "") -> str:
    """Sentences of the same four words, each written by a form with `number`, `word`, `tag` and `first` (a tag in the first)."""
    written = []
    for at in range(count):
        lines = [
            line.format(number=number, word=word, tag=tag, first=tag if not at else "O")
            for number, (word, tag) in enumerate(WORDS, start=1)
        ]
        written.append(above + "\n".join(lines) + "\n")
    return "\n".join(written)


@pytest.mark.parametrize("name", ["a.conll", "a.tsv", "a.tab"])
@pytest.mark.parametrize(
    "line",
    [
        "{number}\t{word}\t{tag}",
        "{number}\t{word}\t{tag}\tO",
        "{number}\t{word}\t{tag}\t{first}",
        "{number}\t{word}\tlemma\t{tag}",
    ],
)
@pytest.mark.parametrize(
    "above", ["", "#\tn-tv.de vom 26.02.2005\t[2005-02-26]\n", "# text = Anna visits Bonn\n"]
)
def test_of_numbered_tokens_the_words_are_read_and_the_tags_that_are_not_nearly_all_outside(
    table: Callable[[str, str], Table], name: str, line: str, above: str
) -> None:
    found = table(name, sentences(line, above=above))

    assert found.values("tokens") == [[word for word, _ in WORDS]] * 6
    assert found.values("tags") == [[tag for _, tag in WORDS]] * 6
    assert any("number 2 is read as the token" in guess for guess in found.guesses)


def test_numbers_that_are_words_are_tokens_where_they_do_not_count(
    table: Callable[[str, str], Table],
) -> None:
    found = table("a.conll", "3\tCD\tO\nlions\tNNS\tO\n\n7\tCD\tO\ncats\tNNS\tO\n")

    assert found.values("tokens") == [["3", "lions"], ["7", "cats"]]


def test_a_last_column_that_repeats_the_tags_is_taken_for_predictions_and_told(
    table: Callable[[str, str], Table],
) -> None:
    found = table("a.conll", sentences("{word} NN {tag} {tag}"))

    assert found.values("tags")[0] == [tag for _, tag in WORDS]
    assert found.guesses[0] == (
        "a.conll: of 4 columns number 1 is read as the token, number 3 as the tag (column 4 mostly repeats it, and is taken for "
        "what a model answered, as conlleval reads it); a copy with only the right two corrects it."
    )


def test_beside_phrases_the_last_column_holds_the_tags(table: Callable[[str, str], Table]) -> None:
    found = table("a.conll", sentences("{word} NN B-NP {tag}"))

    assert found.values("tags")[0] == [tag for _, tag in WORDS]


def test_two_columns_of_tags_that_say_different_things_are_asked_about(
    refusal: Callable[[str, str], str],
) -> None:
    said = refusal("a.conll", "a O B-X\nb B-Y O\nc O O\nd O O\ne O O\n\n" * 4)

    assert said == (
        "a.conll: columns 2 and 3 both hold tags ('Y'; 'X'), and it is not to be told which are meant. A copy with only the "
        "right two columns, a token and its tag, corrects it."
    )


def test_tags_may_stand_before_the_tokens(table: Callable[[str, str], Table]) -> None:
    assert table("a.conll", sentences("{tag}\t{word}")).values("tokens")[0] == [word for word, _ in WORDS]


@pytest.mark.parametrize("name", ["a.conll", "a.conllu"])
def test_conllu_is_told_by_its_name_and_the_remedy_gives_a_file_that_is_read(
    refusal: Callable[[str, str], str], table: Callable[[str, str], Table], name: str
) -> None:
    said = refusal(
        name, sentences("{number}\t{word}\tlemma\tNOUN\tNN\t_\t0\troot\t_\t_", above="# sent_id = 1\n")
    )

    assert "CoNLL-U" in said
    command = said.split("`")[1].replace("FILE", name)
    subprocess.run(command, shell=True, check=True)
    found = read("words.conll")
    assert found.values("tokens")[0] == [word for word, _ in WORDS]
    assert found.values("tags")[0] == ["B-NOUN"] * 4


def test_words_with_tags_behind_slashes_are_told_and_the_remedy_gives_a_file_that_is_read(
    refusal: Callable[[str, str], str],
) -> None:
    said = refusal("a.txt", "Anna/NE visits/VVFIN and\\/or/KON ./$.\n" * 6)

    assert "a.txt: each word has a tag behind a slash, as 'Anna/NE'." in said
    subprocess.run(said.split("`")[1], shell=True, check=True)
    found = read("words.conll")
    assert found.values("tokens")[0] == ["Anna", "visits", "and\\/or", "."]
    assert found.values("tags")[0] == ["B-NE", "B-VVFIN", "B-KON", "B-$."]
