"""Thirty scripts: neither the Unicode form of a text nor invisible characters change its words, pieces or subwords."""

# ruff: noqa: RUF001

import unicodedata

import numpy as np
import pytest
import sacrebleu
import tensorflow as tf

from pipelines.nlp.sentiment.words import MOST_PIECES, Words, divide
from pipelines.nlp.translation.model import normalised
from pipelines.nlp.translation.scoring import metrics, tokenizer_of

GOOD_AND_BAD = {  # a good and a bad sentence each; those that are written without spaces are marked
    "Latin": ("Phim này thật tuyệt vời, ế!", "Một bộ phim tồi tệ và nhàm chán."),
    "Greek": ("Μια υπέροχη ταινία!", "Μια απαίσια ταινία."),
    "Cyrillic": ("Очень хороший фильм, ёлка!", "Плохой и скучный фильм, й."),
    "Armenian": ("Հրաշալի ֆիլմ է։", "Վատ ֆիլմ է։"),
    "Georgian": ("შესანიშნავი ფილმია.", "ცუდი ფილმია."),
    "Hebrew": ("סרט נפלא ומרגש!", "סרט רע ומשעמם."),
    "Arabic": ("فيلم رائع ومؤثر أُحبه!", "فيلم سيئ وممل."),
    "Syriac": ("ܦܝܠܡܐ ܫܦܝܪܐ", "ܦܝܠܡܐ ܒܝܫܐ"),
    "Thaana": ("ރަނގަޅު ފިލްމެއް", "ނުބައި ފިލްމެއް"),
    "Ethiopic": ("በጣም ጥሩ ፊልም ነው።", "መጥፎ ፊልም ነው።"),
    "Devanagari": ("यह एक अद्भुत फ़िल्म है।", "यह एक बुरी फ़िल्म है।"),
    "Bengali": ("এটি একটি চমৎকার ছবি, কোনো!", "এটি একটি খারাপ ছবি।"),
    "Gurmukhi": ("ਇਹ ਬਹੁਤ ਵਧੀਆ ਫ਼ਿਲਮ ਹੈ।", "ਇਹ ਮਾੜੀ ਫ਼ਿਲਮ ਹੈ।"),
    "Gujarati": ("આ એક અદ્ભુત ફિલ્મ છે.", "આ એક ખરાબ ફિલ્મ છે."),
    "Oriya": ("ଏହା ଏକ ଭଲ ଚଳଚ୍ଚିତ୍ର, କୋ।", "ଏହା ଏକ ଖରାପ ଚଳଚ୍ଚିତ୍ର।"),
    "Tamil": ("இது அருமையான படம், கொ.", "இது மோசமான படம்."),
    "Telugu": ("ఇది అద్భుతమైన సినిమా.", "ఇది చెడ్డ సినిమా."),
    "Kannada": ("ಇದು ಅದ್ಭುತ ಚಿತ್ರ, ಕೊ.", "ಇದು ಕೆಟ್ಟ ಚಿತ್ರ."),
    "Malayalam": ("ഇത് മനോഹരമായ സിനിമയാണ്, കൊ.", "ഇത് മോശം സിനിമയാണ്."),
    "Sinhala": ("මෙය අපූරු චිත්‍රපටයකි, කෝ.", "මෙය නරක චිත්‍රපටයකි."),
    "Thai": ("หนังเรื่องนี้ดีมากและน่าประทับใจจริงๆ", "หนังเรื่องนี้แย่มากและน่าเบื่อจริงๆ"),
    "Lao": ("ຮູບເງົາເລື່ອງນີ້ດີຫຼາຍແລະຂ້ອຍມັກມັນ", "ຮູບເງົາເລື່ອງນີ້ບໍ່ດີແລະຂ້ອຍບໍ່ມັກມັນ"),
    "Khmer": ("ភាពយន្តនេះល្អណាស់ហើយខ្ញុំចូលចិត្តវា", "ភាពយន្តនេះអាក្រក់ណាស់ហើយខ្ញុំមិនចូលចិត្តវា"),
    "Myanmar": ("ဒီရုပ်ရှင်ကတော်တော်ကောင်းပြီးကြိုက်တယ်", "ဒီရုပ်ရှင်ကတော်တော်ဆိုးပြီးမကြိုက်ဘူး"),
    "Tibetan": ("གློག་བརྙན་འདི་ཧ་ཅང་ཡག་པོ་འདུག", "གློག་བརྙན་འདི་ཧ་ཅང་སྡུག་པོ་འདུག"),
    "Hangul": ("정말 재미있는 영화였다", "정말 지루한 영화였다"),
    "Han": ("这部电影非常好看。", "这部电影非常难看。"),
    "Kana": ("とてもよいがんばるえいがです。", "ひどくつまらないえいがでした。"),
    "Mongolian": ("ᠰᠠᠶᠢᠨ ᠺᠢᠨᠣ᠋", "ᠮᠠᠭᠤ ᠺᠢᠨᠣ"),
    "Cherokee": ("ᎣᏍᏓ ᎠᏓᏴᎳᏔᏍᎩ", "ᎤᏲ ᎠᏓᏴᎳᏔᏍᎩ"),
    "Javanese": ("ꦥ꦳ꦶꦭꦩ꧀ꦲꦥꦶꦏ꧀ꦧꦔꦼꦠ꧀ꦱꦼꦤꦼꦁ", "ꦥ꦳ꦶꦭꦩ꧀ꦲꦭꦧꦔꦼꦠ꧀ꦧꦺꦴꦱꦼꦤ꧀"),
}
UNSPACED = ("Thai", "Lao", "Khmer", "Myanmar", "Tibetan", "Han", "Kana", "Javanese")


def _with_invisible(text: str, characters: str = "\u00ad\u200b\ufeff\u2060") -> str:
    """A text with an invisible character behind each visible one."""
    return "".join(each + characters[number % len(characters)] for number, each in enumerate(text))


@pytest.mark.parametrize("script", GOOD_AND_BAD)
def test_bleu_counts_what_the_script_has(script: str) -> None:
    good, bad = GOOD_AND_BAD[script]
    expected = {"Han": "zh", "Kana": "ja-mecab", "Hangul": "ko-mecab"}.get(
        script, "char" if script in UNSPACED else "13a"
    )
    assert tokenizer_of([good, bad]) == expected
    half = [good, *[text[: len(text) // 2] + other[len(other) // 2 :] for text, other in [(good, bad)] * 3]]
    score = metrics([good] * 4, half)["bleu"].value
    assert score == sacrebleu.corpus_bleu(half, [[good] * 4], tokenize=expected).score
    assert script not in UNSPACED or 20 < score < 99


def test_there_are_thirty_scripts() -> None:
    assert len(GOOD_AND_BAD) >= 30


@pytest.mark.parametrize("script", GOOD_AND_BAD)
def test_no_form_changes_a_word(script: str) -> None:
    words = Words(["x"], pieces=1000)
    for text in GOOD_AND_BAD[script]:
        forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
        forms += [_with_invisible(form) for form in forms]
        encoded = words(tf.constant(forms))
        for form in range(1, len(forms)):
            np.testing.assert_array_equal(encoded.pieces[form], encoded.pieces[0])
        assert len(set(normalised(tf.constant(forms)).numpy().tolist())) == 1


@pytest.mark.parametrize("script", GOOD_AND_BAD)
def test_opposite_texts_differ_in_what_is_read(script: str) -> None:
    good, bad = (divide(tf.constant([text])).to_list()[0] for text in GOOD_AND_BAD[script])
    assert good != bad
    longest = max(len(word.decode()) for word in good + bad)
    assert longest == 1 if script in UNSPACED else longest < MOST_PIECES
