"""Which code page bytes beyond ASCII are written in: the one whose text is likeliest in some language.

Nearly every byte is a letter in nearly every code page, so that text decodes in many and is right in one. Each reading is
weighed by how often its letters occur in each language that is written in that page, and by what words do not do: hold
signs, or begin capitals in their middle.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

SPECIAL = {
    "English": "é",
    "German": "üäöß",
    "French": "éèàêçôîùûâëïœ",
    "Spanish": "óíáéñúü",
    "Catalan": "àéèóíçúïòü",
    "Portuguese": "ãçáéíóêõâàúôü",
    "Italian": "èàùòìé",
    "Dutch": "ëéïèüö",
    "Swedish": "äåöé",
    "Danish": "øåæé",
    "Finnish": "äöå",
    "Icelandic": "áðíéóöúþýæ",
    "Irish": "áíéóú",
    "Polish": "ąęłóżśćńź",
    "Czech": "íáéýěžřčšůúťóďň",
    "Slovak": "áíéýčšžúľťôňóäďŕĺ",
    "Hungarian": "áéöóőüíúű",
    "Romanian": "ăîâșțşţ",
    "Croatian": "čšžćđ",
    "Slovene": "čšž",
    "Albanian": "ëç",
    "Lithuanian": "ėšįžąųčūę",
    "Latvian": "āīēšņūļķžčģ",
    "Estonian": "äõüöšž",
    "Turkish": "ıüşğöçİâ",
    "Esperanto": "ŭĉĝŝĵĥ",
    "Vietnamese": "đàáạảãăằắặẳâầấậẩèéẹẻẽêềếệểễìíịỉĩòóọỏõôồốộổỗơờớợởỡùúụủũưừứựửữ\u0300\u0301\u0303\u0309\u0323",
}
"""Letters beyond ASCII of languages that are written in Latin ones, the most frequent first."""

TRADITIONAL = (
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種"
    "事成方多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實"
)
"""The most frequent letters of Chinese as it is written in Big5."""

WESTERN = (
    *(
        "English",
        "German",
        "French",
        "Spanish",
        "Catalan",
        "Portuguese",
        "Italian",
        "Dutch",
        "Swedish",
        "Danish",
    ),
    *("Finnish", "Icelandic", "Irish", "Albanian", "Estonian"),
)
CENTRAL = (
    *("Polish", "Czech", "Slovak", "Hungarian", "Romanian", "Croatian", "Slovene", "German", "Albanian"),
)
BALTIC = ("Lithuanian", "Latvian", "Estonian")
CYRILLIC = ("Russian", "Ukrainian", "Bulgarian", "Serbian")

MANY = ("Chinese", "traditional", "Japanese", "Korean")
"""Languages with thousands of letters."""
SCRIPTS = {
    **dict.fromkeys(CYRILLIC, "CYRILLIC"),
    **dict.fromkeys(("Arabic", "Farsi"), "ARABIC"),
    "Greek": "GREEK",
    "Hebrew": "HEBREW",
    "Thai": "THAI",
}
"""Scripts of other languages, whose letters are all beyond ASCII: how Unicode's names of their letters begin."""

PAGES: Mapping[str, tuple[str, ...]] = {
    "cp1252": WESTERN,
    "cp1250": CENTRAL,
    "cp1251": CYRILLIC,
    "cp1253": ("Greek",),
    "cp1254": ("Turkish", *WESTERN),
    "cp1255": ("Hebrew",),
    "cp1256": ("Arabic", "Farsi", "French"),
    "cp1257": BALTIC,
    "cp1258": ("Vietnamese",),
    "cp874": ("Thai",),
    "iso8859-2": CENTRAL,
    "iso8859-15": WESTERN,
    "iso8859-3": ("Esperanto",),
    "iso8859-5": CYRILLIC,
    "iso8859-7": ("Greek",),
    "iso8859-9": ("Turkish",),
    "iso8859-13": BALTIC,
    "koi8-r": ("Russian", "Bulgarian"),
    "koi8-u": ("Ukrainian", "Russian"),
    "mac-roman": WESTERN,
    "mac-latin2": CENTRAL,
    "mac-cyrillic": CYRILLIC,
    "mac-greek": ("Greek",),
    "mac-turkish": ("Turkish",),
    "cp850": WESTERN,
    "cp437": WESTERN,
    "cp852": CENTRAL,
    "cp866": CYRILLIC,
    "cp737": ("Greek",),
    "cp857": ("Turkish",),
    "cp775": BALTIC,
    "gb18030": ("Chinese",),
    "big5": ("Chinese", "traditional"),
    "cp932": ("Japanese",),
    "euc-jp": ("Japanese",),
    "cp949": ("Korean",),
}
"""Code pages that are looked for, each with the languages that are written in it; where two give the same text, the first
names it."""

PUNCTUATION = "’“”–…\u00a0«»—„‘€£°•·¿¡§´²³½®©™×±µºª¼¾¢¥¬¶÷¹"
"""Signs that stand between words, or beside numbers, the most frequent first."""
WIDE = "，。、！？：；（）「」『』《》〈〉【】“”‘’…—～・ー　"
"""Punctuation between Chinese, Japanese and Korean letters."""
LOANS = "éèàêçñöüäóáíøåôâëïæœìòùúûîãõðþýß"
"""Letters that words and names from other languages bring along."""

WORDS = {
    "English": "the and of to is was for with",
    "German": "der die und das ist nicht ein mit",
    "French": "le la les des est une pas et",
    "Spanish": "el los que una por las con del",
    "Catalan": "els amb una per que les",
    "Portuguese": "os uma que com para por dos",
    "Italian": "il che non per una di con",
    "Dutch": "het een van niet dat en voor",
    "Swedish": "och att det som inte den",
    "Danish": "og det ikke af til der",
    "Finnish": "ja on ei se kun",
    "Icelandic": "og er ekki sem",
    "Irish": "an na agus ar is",
    "Polish": "nie jest na to do z",
    "Czech": "se na je to v ne",
    "Slovak": "sa na je nie to",
    "Hungarian": "a az nem van hogy",
    "Romanian": "nu de un este din cu",
    "Croatian": "je na se ne za",
    "Slovene": "je na se ne za in",
    "Albanian": "dhe nuk me ka",
    "Lithuanian": "ir ne su kad",
    "Latvian": "un ir ar no",
    "Estonian": "ja ei on see",
    "Turkish": "bir ve bu ile",
}
"""Small words of ASCII alone, by which a language is known in whatever code page."""
FEWEST_WORDS = 5
OTHER_LANGUAGE = -6.0
"""Log of the odds of letters in another language than that of the small words."""

BETWEEN_WORDS = 0.2
"""Share of punctuation among characters beyond ASCII, where letters of ASCII write most of the words."""
BETWEEN_WORDS_ENGLISH = 0.8
BETWEEN_WHOLE = 0.04
AMONG_LOANS = 2e-3
OTHER_LETTER = 5e-4
NEVER = 1e-6
"""Probabilities of a letter that the language has not, by how likely it is met all the same."""

PRIORS = {
    "iso8859": -5.0,
    "mac-": -8.0,
    "cp8": -8.0,
    "cp437": -8.0,
    "cp7": -8.0,
    "cp125": -2.0,
    "cp1252": 0.0,
}
"""Log of the odds of a page against cp1252, by the beginning of its name: how much rarer files in it are."""

WITHIN_WORDS = "’·\u00ad–—…“”»«/"
"""Signs that stand between two letters all the same."""
FIRST_WIDE = 0x2E80
"""The first of the characters of scripts that have no space between words."""
BROKEN_WORD = -6.0
"""What a sign within a word, or a capital after a small letter, takes from the likelihood of a reading, in nats."""

CLEAR = 6.0
"""Nats by which the best reading must be likelier than the next one: about 400 times."""
UNLIKELY, UNLIKELY_OF_MANY = -3.8, -5.5
"""Mean log-probability of a byte below which a reading is in no language that is known here."""
SLACK = 8.0
"""Nats by which a few bytes may be less likely: one accent in a whole file, say."""


WORD = re.compile(rb"(?<![\w\x80-\xff])[a-z]+(?![\w\x80-\xff])")


@dataclass(frozen=True)
class Reading:
    """Bytes as text in a code page."""

    encoding: str
    language: str
    likelihood: float
    """Log-probability of the characters beyond ASCII, in the language that makes it greatest."""
    text: str


def readings(lines: Sequence[bytes], around: bytes = b"") -> list[Reading]:
    """The readings of lines in each code page in which they are text, the likeliest first; of equal texts only one.

    lines: lines with bytes beyond ASCII.  around: other lines of the same file.
    """
    found: dict[str, Reading] = {}
    data = b"\n".join(lines)
    spoken = small_words(data + b"\n" + around)
    for encoding, languages in PAGES.items():
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if text in found or any(map(is_no_character, set(text))):
            continue
        counts, broken = Counter(sign for sign in text if ord(sign) > 127), broken_words(text)
        weighed = {
            language: weigh(counts, language) + (0.0 if not spoken or language in spoken else OTHER_LANGUAGE)
            for language in languages
        }
        best = max(weighed, key=weighed.__getitem__)
        found[text] = Reading(encoding, best, weighed[best] + broken * BROKEN_WORD + prior(encoding), text)
    return sorted(found.values(), key=lambda one: -one.likelihood)


def clear_winner(found: Sequence[Reading], lines: Iterable[bytes]) -> Reading | None:
    """The first of some readings, where it is a language's text and no other is nearly as likely."""
    if not found:
        return None
    best, beyond = found[0], sum(byte > 127 for line in lines for byte in line)
    usual = UNLIKELY_OF_MANY if best.language in (*MANY, "Thai", "Vietnamese", "English") else UNLIKELY
    if best.likelihood < usual * beyond - SLACK:
        return None
    return best if len(found) == 1 or best.likelihood - found[1].likelihood >= CLEAR else None


def small_words(data: bytes) -> frozenset[str]:
    """Languages whose small words stand among others, hardly fewer than those of any."""
    counts = Counter(WORD.findall(data.lower()))
    hits = {
        language: sum(counts[word.encode()] for word in words.split()) for language, words in WORDS.items()
    }
    most = max(hits.values())
    return frozenset(name for name, count in hits.items() if most >= FEWEST_WORDS and count > most / 2)


def is_no_character(sign: str) -> bool:
    return ord(sign) > 127 and unicodedata.category(sign) in ("Cc", "Co", "Cn")


def prior(encoding: str) -> float:
    return (
        PRIORS[max((begin for begin in PRIORS if encoding.startswith(begin)), key=len)]
        if encoding.startswith(tuple(PRIORS))
        else -2.0
    )


def weigh(counts: Mapping[str, int], language: str) -> float:
    """Log-probability of characters, each as often as it was counted, in a language."""
    return sum(count * math.log(probability(sign, language)) for sign, count in counts.items())


def broken_words(text: str) -> int:
    """How often words are broken: a capital follows a small letter, a letter stands beside a digit, a sign between letters,
    or another script's letter beside one of ASCII."""
    broken = 0
    for before, sign, after in zip(" " + text, text, text[1:] + " ", strict=False):
        if ord(sign) < 128 or ord(sign) >= FIRST_WIDE or is_mark(sign):
            continue
        if not sign.isalpha():
            broken += before.isalpha() and after.isalpha() and sign not in WITHIN_WORDS
        elif (sign.isupper() and before.islower()) or before.isdecimal() or after.isdecimal():
            broken += 1
        elif script(sign) != "LATIN":
            broken += (before.isascii() and before.isalpha()) or (after.isascii() and after.isalpha())
    return broken


def is_mark(sign: str) -> bool:
    return unicodedata.category(sign).startswith("M")


@cache
def probability(sign: str, language: str) -> float:
    """How often a character beyond ASCII is met, in [0, 1], among those beyond ASCII of a text in a language."""
    table = shares(language)
    lower = sign.lower() if len(sign.lower()) == 1 else sign
    if lower in table:
        return table[lower]
    if language in MANY:
        return among_many(sign, language)
    if language in SPECIAL:
        return (AMONG_LOANS if lower in LOANS else OTHER_LETTER / 50) if sign.isalpha() else NEVER
    return OTHER_LETTER if script(sign) == SCRIPTS[language] else NEVER


@cache
def shares(language: str) -> dict[str, float]:
    """How often the letters and signs of a language occur among its characters beyond ASCII, by their rank."""
    letters: Sequence[str] = SPECIAL[language] if language in SPECIAL else frequent(language)
    between = BETWEEN_WORDS if language in SPECIAL else BETWEEN_WHOLE
    if language == "English":
        between = BETWEEN_WORDS_ENGLISH
    named = 0.5 if language in MANY else 0.97 - between
    return {
        **by_rank([*PUNCTUATION, *(WIDE if language in MANY else "")], between),
        **by_rank(letters, named),
    }


def by_rank(signs: Sequence[str], share: float) -> dict[str, float]:
    """A share parted among signs, as Zipf's law has it of their ranks."""
    weights = [1 / (rank + 2) for rank in range(len(signs))]
    return {sign: share * weight / sum(weights) for sign, weight in zip(signs, weights, strict=True)}


def frequent(language: str) -> Sequence[str]:
    """A language's letters beyond ASCII, the most frequent first, as charset-normalizer lists them."""
    from charset_normalizer.constant import FREQUENCIES

    if language == "traditional":
        return TRADITIONAL
    if language == "Thai":
        return [*FREQUENCIES[language], *"่้ิัี็ุึืู์แไใโำ"]
    if language == "Japanese":
        return [*FREQUENCIES["Japanese——"], *FREQUENCIES["Japanese—"]]
    return [letter for letter in FREQUENCIES[language] if ord(letter) > 127]


def among_many(sign: str, language: str) -> float:
    """How often a letter is met, in [0, 1], that is none of the most frequent of a script of thousands: more often one that its
    first standard has."""
    standard, first, last = {
        "Chinese": ("gb2312", 0xB0A1, 0xD7F9),
        "traditional": ("big5", 0xA440, 0xC67E),
        "Japanese": ("euc-jp", 0xB0A1, 0xCFD3),
        "Korean": ("euc-kr", 0xB0A1, 0xC8FE),
    }[language]
    try:
        code = int.from_bytes(sign.encode(standard), "big")
    except UnicodeEncodeError:
        return NEVER
    return 0.5 / 4000 if first <= code <= last else NEVER * 10


@cache
def script(sign: str) -> str:
    return unicodedata.name(sign, "").split(" ")[0]
