"""Whether a user begins by saying that the answer before was wrong."""

import re

# ruff: noqa: RUF001, the point here is other languages

# What may stand before it: a sigh, an excuse, a no.
_LEAD = r"(?:(?:no|nope|nah|hmm+|hm|uh|um|sorry|wait|well|actually|but|and|eh)\b[\s,.!:;—–-]*){0,3}"
_ENGLISH = rf"""
    {_LEAD}(?:
        (?:that|this|it)(?:\s+is|\s+was|['’]s)?\s+(?:simply\s+|just\s+|still\s+|all\s+|also\s+)?
            (?:wrong|incorrect|false|outdated|(?:not|no\s+longer)\s+(?:right|correct|true|what\s+i\b|the\s+case))
        | (?:that|this|it)\s+(?:isn|wasn)['’]t\s+(?:right|correct|true|what\s+i\b|the\s+case)
        | you(?:['’]re|\s+are)\s+(?:wrong|mistaken|mixing|confusing)
        | you\s+(?:got|have)\s+(?:that|this|it)\s+wrong
        | you\s+misunderst(?:and|ood)
        | (?:wrong|incorrect)\b(?!\s+(?:number|side|way))
        | not\s+what\s+i\s+(?:asked|meant|said|wanted)
        | i\s+(?:never|didn['’]t)\s+(?:say|said|ask|asked|mean)
        | i\s+(?:meant|was\s+asking)\b(?!\s+to\b)
        | i\s+(?:already|just)\s+told\s+you
    )
"""
_OTHERS = r"""
    (?:nein[\s,.!]*)?(?:das\s+(?:ist|war)\s+(?:falsch|nicht\s+richtig|nicht\s+wahr|nicht\s+was\s+ich)
        | das\s+stimmt\s+(?:so\s+)?nicht | falsch\b | ich\s+meinte\b)
    | (?:non[\s,.!]*)?(?:c['’]est\s+(?:faux|incorrect) | ce\s+n['’]est\s+pas\s+(?:vrai|correct|ce\s+que)
        | je\s+voulais\s+dire)
    | (?:no[\s,.!]*)?(?:eso\s+(?:es|está)\s+(?:incorrecto|mal|falso)
        | eso\s+no\s+es\s+(?:correcto|cierto|lo\s+que)
        | est[áa]s\s+equivocad[oa] | quise\s+decir | me\s+refer[íi]a)
    | (?:no[\s,.!]*)?(?:[èe]\s+sbagliato | non\s+[èe]\s+(?:vero|corretto|quello\s+che) | intendevo\b)
    | (?:não[\s,.!]*)?(?:isso\s+está\s+errado | não\s+é\s+(?:verdade|isso) | eu\s+quis\s+dizer)
    | (?:нет[\s,.!]*)?(?:это\s+(?:неправда|неверно|не\s+так|неправильно)
        | вы\s+ошибаетесь | я\s+имел[а]?\s+в\s+виду)
    | (?:不[,，!！]?\s*)?(?:不对 | 错了 | 不是这样 | 你错了 | 我的意思是)
    | (?:いいえ[、,]?\s*)?(?:違います | 違う | それは間違)
"""
_CORRECTION = re.compile(rf"\W*(?:{_ENGLISH}|{_OTHERS})", re.IGNORECASE | re.VERBOSE)


def is_correction(text: str) -> bool:
    return _CORRECTION.match(text) is not None
