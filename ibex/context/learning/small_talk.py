"""What is said to be polite, and not to tell anything."""

import re

# ruff: noqa: RUF001, the point here is other languages

# Vowel signs of the scripts of India stand within words, and are no letters.
_LETTERS = r"(?:[^\W_]|[\u0900-\u0963\u0980-\u0dff])+"
_WORD = re.compile(rf"{_LETTERS}(?:['’]{_LETTERS})?")
# More words than that tell something, be they as polite as they may.
_MOST_WORDS = 6
# Of the languages most used on the web; words without spaces are whole sayings.
_WORDS = """
    hi hello hey yo morning evening afternoon night good bye goodbye cheers welcome greetings
    thanks thank thx ty you very much so a lot many please sorry
    ok okay k kk yes yeah yep yup no nope nah sure fine great nice cool perfect awesome right alright correct
    exactly indeed got it i see go ahead continue next again hmm hm oh ah wow lol haha done
    hallo moin servus guten morgen tag abend nacht tschüss danke bitte schön sehr vielen dank dir ja nein doch
    genau gut super prima klar weiter
    bonjour bonsoir salut merci beaucoup bien oui non d'accord parfait voilà continuez
    hola buenos buenas días dias tardes noches adiós adios gracias muchas sí si
    vale bueno claro perfecto sigue
    ciao buongiorno buonasera grazie mille prego sì va bene perfetto
    olá ola oi bom dia boa tarde noite obrigado obrigada sim não nao
    hoi hé goedemorgen dag dank je wel ja nee goed prima
    cześć dzień dobry dziękuję dzięki tak nie dobrze
    привет здравствуйте добрый день спасибо большое да нет хорошо ладно пожалуйста
    merhaba selam teşekkürler teşekkür ederim evet hayır tamam
    مرحبا السلام عليكم شكرا نعم لا حسنا
    नमस्ते धन्यवाद हाँ नहीं ठीक है
    你好 您好 谢谢 谢谢你 多谢 好 好的 是 是的 对 不 不是 没有 嗯 再见
    こんにちは おはよう おはようございます ありがとう ありがとうございます はい いいえ うん
    안녕하세요 안녕 감사합니다 고마워요 네 아니요
"""
_POLITE = frozenset(_WORDS.split())


def is_small_talk(text: str) -> bool:
    """Whether a text has nothing to remember in it: no word at all, or a few polite ones."""
    words = [word.replace("’", "'") for word in _WORD.findall(text.casefold())]
    return len(words) <= _MOST_WORDS and all(word in _POLITE for word in words)
