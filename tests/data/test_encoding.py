"""The encoding of a text file is found where one reading is a language's text and no other is; else it is asked for."""

from pathlib import Path

import pytest

from luthier.data.formats.code_pages import PAGES, clear_winner, readings
from luthier.data.formats.encoding import find_encoding
from luthier.errors import DataError

GERMAN = "Die Größe ist für mich schön, aber der Geschmack gefällt nicht."
FRENCH = "C’est très bon, la qualité dépasse ce que j’espérais : le goût plaît à tous, même aux élèves."
SPANISH = "El paquete llegó rápido, pero la señora me cobró más de lo que decía el anuncio. ¿Así está bien?"
POLISH = "Paczka przyszła późno, a obsługa nie była miła. Będę pamiętać i już więcej nie kupię książek."
CZECH = "Zboží přišlo včas, ale krabice byla poškozená. Příště už raději koupím něco jiného, děkuji."
RUSSIAN = "Товар пришёл вовремя, качество отличное, но упаковка была повреждена. Спасибо продавцу."
UKRAINIAN = "Товар прийшов вчасно, якість чудова, її упаковка була гарна. Дякую за швидку доставку."
GREEK = "Το προϊόν ήρθε γρήγορα και η ποιότητα είναι πολύ καλή, αλλά η συσκευασία ήταν χαλασμένη."
TURKISH = (
    "Ürün hızlı geldi, kalitesi çok iyi ama paket yırtılmıştı. Teşekkür ederim, yine alışveriş yapacağım."
)
CHINESE = "快递很快，质量非常好，我很喜欢，下次还会再来买。客服的态度也不错。"
TAIWANESE = "這個東西的品質非常好，我很喜歡，下次還會再來買。客服的態度也不錯。"
JAPANESE = "商品はすぐに届きました。とても良い品質で、また買いたいと思います。"
KOREAN = "배송이 빠르고 품질이 아주 좋습니다. 다음에 또 구매하겠습니다. 감사합니다."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "cp1252"),
        (GERMAN, "mac-roman"),
        (GERMAN, "cp850"),
        (FRENCH, "cp1252"),
        (FRENCH, "mac-roman"),
        (SPANISH, "cp1252"),
        (POLISH, "cp1250"),
        (POLISH, "iso8859-2"),
        (CZECH, "cp1250"),
        (CZECH, "cp852"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (RUSSIAN, "cp866"),
        (UKRAINIAN, "cp1251"),
        (GREEK, "cp1253"),
        (TURKISH, "cp1254"),
        (CHINESE, "gb18030"),
        (TAIWANESE, "big5"),
        (JAPANESE, "cp932"),
        (JAPANESE, "euc-jp"),
        (KOREAN, "cp949"),
    ],
)
def test_a_code_page_is_found_by_the_language_that_its_text_is_in(
    tmp_path: Path, text: str, encoding: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,label\n" + b"".join(f'"{text}",a\n'.encode(encoding) for _ in range(3)))

    found = find_encoding(path)

    assert path.read_bytes().decode(found) == path.read_bytes().decode(encoding)


def test_every_code_page_that_is_looked_for_is_one_of_pythons() -> None:
    assert all("a".encode(encoding) for encoding in PAGES)


def test_a_letter_far_below_many_rows_of_ascii_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,label\n" + b"plain words,a\n" * 20_000 + f'"{RUSSIAN}",b\n'.encode("cp1251"))

    assert find_encoding(path) == "cp1251"


def test_a_quotation_mark_in_english_is_of_the_western_page(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(
        'text,label\n"I don’t think that the “case” is for me – it was too big…",a\n'.encode("cp1252")
    )

    assert find_encoding(path) == "cp1252"


def test_letters_that_may_be_of_several_languages_are_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("text,label\nLuděk,a\n".encode("cp1250"))

    with pytest.raises(DataError) as error:
        find_encoding(path)

    assert "no other encoding is clearly likelier than all others" in str(error.value)
    assert "in cp1250 'Luděk,a'" in str(error.value)
    assert "--encoding NAME" in str(error.value)


def test_the_sample_of_a_large_file_is_bounded_and_spread_over_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with open(path, "wb") as file:
        file.writelines(f'{{"text": "{GERMAN} {number}"}}\n'.encode("cp1252") for number in range(5_000))

    assert find_encoding(path) == "cp1252"


def test_a_file_of_one_long_line_is_sampled_at_whole_characters(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(
        ("[" + ", ".join(f'{{"text": "{CHINESE}"}}' for _ in range(3_000)) + "]").encode("gb18030")
    )

    assert find_encoding(path) == "gb18030"


def test_bytes_of_no_language_have_no_clear_winner() -> None:
    lines = [bytes((byte,)) * 3 for byte in range(0xA1, 0xFF)]

    assert clear_winner(readings(lines), lines) is None


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(JAPANESE, "iso2022_jp"), (JAPANESE, "iso2022_jp_2"), ("ﾃｽﾄ", "iso2022_jp_ext"), (KOREAN, "iso2022_kr")],
)
def test_seven_bits_with_escapes_are_not_taken_for_utf_8(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(
        "".join(["text,label\n", *('"A text.",a\n' for _ in range(9_000)), f"{text},a\n"]).encode(encoding)
    )

    found = find_encoding(path)

    assert path.read_bytes().decode(found) == path.read_bytes().decode(encoding)


def test_escapes_that_no_encoding_has_are_refused_by_their_cause(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,label\n\x1b$B%,a\n")

    with pytest.raises(
        DataError, match=r"a\.csv: holds escape sequences of ISO 2022, .* Save the file as UTF-8"
    ):
        find_encoding(path)


@pytest.mark.parametrize(("text", "encoding"), [(CHINESE, "hz"), (RUSSIAN, "utf-7")])
def test_seven_bits_whose_marks_may_stand_in_other_texts_are_asked_about(
    tmp_path: Path, text: str, encoding: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,label\n" + b"".join(f'"{text}",a\n'.encode(encoding) for _ in range(9)))

    with pytest.raises(
        DataError,
        match=rf"a\.csv, line 2: may be text in {encoding}, .* --encoding {encoding}, or --encoding utf-8",
    ):
        find_encoding(path)


@pytest.mark.parametrize(
    "line",
    [
        b"A longer text that ends in \x1b[31mred and more of it that is red,a",
        b"Call +49-30-123-456 now,a",
        b"a ~{ brace,b",
        b"C++ and 1+1-1,a",
    ],
)
def test_marks_of_other_things_are_plain_text(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,label\n" + b"".join(b"%d %s\n" % (at, line) for at in range(50)))

    assert find_encoding(path) == "utf-8"


@pytest.mark.parametrize("sign", ["€", "™", "£"])
def test_of_one_sign_alone_the_usual_page_is_asked_about_first(tmp_path: Path, sign: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(
        b"text,label\n" + b"".join(f"It costs 5 {sign} there {at},a\n".encode("cp1252") for at in range(12))
    )

    with pytest.raises(DataError) as refused:
        find_encoding(path)

    assert f"A line reads in cp1252 'It costs 5 {sign} there 0,a'; in " in str(refused.value)
