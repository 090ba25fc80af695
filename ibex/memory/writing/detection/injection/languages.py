"""The core phrases in other languages than English: dropping the rules, telling the prompt, a new role.

Written as they stand after folding: small letters, no accents on Latin and Cyrillic letters.
"""

from ibex.memory.writing.detection.injection.signal import Phrase, phrase, unspaced_phrase, words

_OVERRIDE_WEIGHT = 0.8
_REVEAL_WEIGHT = 0.6
_ROLE_WEIGHT = 0.3


def _override(language: str, drop: str, rules: str, which: str, own: str, needles: str) -> Phrase:
    """Drop, the rules, and which of them; the verb first or last, the adjective on either side."""
    gap = words(3, but=own) + " "
    target = rf"(?:(?:{which}){gap}(?:{rules})|(?:{rules}){gap}(?:{which}))"
    return phrase(
        f"override_{language}", _OVERRIDE_WEIGHT, needles, rf"(?:{drop}){gap}{target}|{target}{gap}(?:{drop})"
    )


def _reveal(language: str, tell: str, prompt: str, whose: str, needles: str) -> Phrase:
    gap = words(3) + " "
    target = rf"(?:(?:{whose}){gap}(?:{prompt})|(?:{prompt}){gap}(?:{whose}))"
    return phrase(
        f"reveal_{language}", _REVEAL_WEIGHT, needles, rf"(?:{tell}){gap}{target}|{target}{gap}(?:{tell})"
    )


LANGUAGES = (
    _override(
        "fr",
        r"ignor(?:e|es|ez|er|ons)|oubli(?:e|es|ez|er)|ne (?:tiens|tenez) (?:pas|plus) compte|ne (?:suis"
        r"|suivez) (?:pas|plus)|contourn\w{1,4}",
        r"instructions?|consignes?|regles?|directives?|ordres?|restrictions?",
        r"precedente?s?|anterieure?s?|ci dessus|toutes|tes|vos|systeme|initiales?|plus haut",
        "mes|ma|mon|nos",
        "ignor,oubli,compte,suis,suiv,contourn;instruction,consigne,regle,directive,ordre,restriction",
    ),
    _reveal(
        "fr",
        r"montre\w{0,2}|affiche\w{0,2}|revele\w{0,2}|donne\w{0,2}|repete\w{0,2}|dis",
        r"prompt|invite|instructions|consignes|directives",
        r"systeme|tes|ton|vos|votre|initiales?|cachees?|secretes?",
        "montre,affiche,revel,donne,repet,dis;prompt,invite,instructions,consignes,directives",
    ),
    phrase(
        "role_fr",
        _ROLE_WEIGHT,
        "tu es,vous etes,desormais",
        r"(?:tu es|vous etes) (?:maintenant|desormais)|desormais(?: \w{1,12})? (?:tu es|vous etes)",
    ),
    _override(
        "de",
        r"ignorier\w{0,3}|vergiss|vergesst|vergessen sie|missacht\w{1,3}|uberschreib\w{1,3}|umgeh\w{1,3}"
        r"|befolge\w{0,2}",
        r"anweisung\w{0,2}|instruktion\w{0,2}|regeln?|vorgaben?|richtlinien?|befehle?n?|prompts?|beschrankungen",
        r"vorherige\w?|bisherige\w?|obige\w?|vorangegangene\w?|fruhere\w?|alle\w?|deine\w?|ihre\w?|system\w{0,3}|oben|ursprungliche\w?",
        "meine|meinen|unsere",
        "ignorier,vergiss,vergess,missacht,uberschreib,umgeh,befolg;anweisung,instruktion,regel,vorgabe,richtlinie,befehl,prompt,beschrank",
    ),
    _reveal(
        "de",
        r"zeig\w{0,2}|verrat\w{0,2}|nenn\w{0,2}|gib|wiederhol\w{0,2}|offenbar\w{0,2}|druck\w{0,2}|ausgeben",
        r"prompts?|systemprompts?|systemanweisung\w{0,2}|anweisungen|instruktionen|systemnachricht",
        r"deine?n?|ihre?n?|system|geheime?n?|ursprungliche?n?",
        "zeig,verrat,nenn,gib,wiederhol,offenbar,druck,ausgeben;prompt,system,anweisung,instruktion",
    ),
    phrase(
        "role_de",
        _ROLE_WEIGHT,
        "du bist,sie sind,ab jetzt,ab sofort",
        r"(?:du bist|sie sind) (?:jetzt|nun|ab sofort)|ab (?:jetzt|sofort) (?:bist du|sind sie)",
    ),
    _override(
        "es",
        r"ignor(?:a|e|ad|en|ar)|olvid(?:a|e|ad|en|ar|ate)|omit(?:e|a|an|ir)|descart(?:a|e|en|ar)"
        r"|no (?:sigas|obedezcas|hagas caso)|haz caso omiso|pasa por alto",
        r"instrucciones|instruccion|reglas?|directrices|ordenes|indicaciones|restricciones|prompts?",
        r"anteriores|anterior|previas?|todas|tus|sus|arriba|sistema|iniciales|precedentes|originales",
        "mis|mi|nuestras",
        "ignor,olvid,omit,descart,sigas,obedezcas,caso,alto;instruccion,regla,directrices,ordenes,indicacion,restriccion,prompt",
    ),
    _reveal(
        "es",
        r"muestra\w{0,3}|revela\w{0,3}|dime|repite\w{0,2}|imprime|ensena\w{0,3}|comparte|dame",
        r"prompt|instrucciones|indicaciones|mensaje",
        r"sistema|tus?|iniciales|ocult\w{1,2}|secret\w{1,2}",
        "muestra,revela,dime,repite,imprime,ensena,comparte,dame;prompt,instrucciones,indicaciones,mensaje",
    ),
    phrase(
        "role_es",
        _ROLE_WEIGHT,
        "ahora eres,eres ahora,a partir de ahora",
        r"ahora eres|eres ahora|a partir de ahora (?:eres|seras|actua\w{0,3})",
    ),
    _override(
        "it",
        r"ignor(?:a|ate|are|i|ino)|dimentic(?:a|ate|are|hi|hino|ati)|trascur(?:a|ate|are|i)"
        r"|non (?:seguire|rispettare|considerare)|aggir\w{1,4}",
        r"istruzioni|istruzione|regole|direttive|ordini|indicazioni|comandi|restrizioni|prompt",
        r"precedenti|tutte|tue|sopra|sistema|iniziali|anteriori|vostre|originali",
        "mie|mia|nostre",
        "ignor,dimentic,trascur,seguire,rispettare,considerare,aggir;istruzion,regole,direttive,ordini,indicazioni,comandi,restrizioni,prompt",
    ),
    _reveal(
        "it",
        r"mostra\w{0,3}|rivela\w{0,3}|dimmi|ripeti\w{0,2}|stampa\w{0,2}|dammi",
        r"prompt|istruzioni|messaggio",
        r"sistema|tuoi?|tue|iniziali|nascost\w|segret\w",
        "mostra,rivela,dimmi,ripeti,stampa,dammi;prompt,istruzioni,messaggio",
    ),
    _override(
        "pt",
        r"ignor(?:a|e|em|ar)|esque(?:ca|cam|ce|cer)|desconsider(?:a|e|em|ar)|desobede(?:ca|cer)"
        r"|nao (?:siga|sigas|obedeca)|contorn\w{1,3}",
        r"instrucoes|instrucao|regras?|diretrizes|ordens|comandos|restricoes|prompts?",
        r"anteriores|anterior|previas?|todas|suas|tuas|acima|sistema|iniciais|originais",
        "minhas|minha|nossas",
        "ignor,esque,desconsider,desobede,siga,obedeca,contorn;instruc,regra,diretrizes,ordens,comandos,restricoes,prompt",
    ),
    _reveal(
        "pt",
        r"mostr\w{1,3}|revel\w{1,3}|diga\w{0,3}|repita|imprima|exiba",
        r"prompt|instrucoes|mensagem",
        r"sistema|suas?|seu|teu|tuas|iniciais|ocult\w{1,2}|secret\w{1,2}",
        "mostr,revel,diga,repita,imprima,exiba;prompt,instrucoes,mensagem",
    ),
    _override(
        "nl",
        r"negeer\w{0,3}|negeren|vergeet|vergeten|omzeil\w{0,2}|volg",
        r"instructies?|regels?|aanwijzingen|opdrachten|richtlijnen|bevelen|prompts?",
        r"vorige|eerdere|bovenstaande|alle|je|jouw|uw|voorgaande|systeem\w{0,3}",
        "mijn|onze",
        "negeer,negeren,vergeet,vergeten,omzeil,volg;instructie,regel,aanwijzing,opdracht,richtlijn,bevelen,prompt",
    ),
    _override(
        "pl",
        r"zignoruj\w{0,3}|ignoruj\w{0,3}|zapomnij\w{0,3}|pomin\w{0,4}|nie przestrzegaj",
        r"instrukcj\w{1,3}|polecen\w{1,3}|zasad\w{0,3}|regul\w{0,3}|wytyczn\w{1,3}|polece\w{1,3}",
        r"poprzedni\w{1,3}|wczesniejsz\w{1,3}|wszystki\w{1,3}|powyzsz\w{1,3}|swoj\w{1,3}|twoj\w{1,3}|systemow\w{1,3}",
        "moje|moich|nasze",
        "ignoruj,zapomnij,pomin,przestrzegaj",
    ),
    _override(
        "tr",
        r"yok say\w{0,5}|gormezden gel\w{0,5}|unut\w{0,5}|dikkate alma\w{0,4}|uyma\w{0,4}",
        r"talimat\w{0,8}|yonerge\w{0,8}|kural\w{0,8}|komut\w{0,8}|yonlendirme\w{0,8}",
        r"onceki|yukaridaki|tum|butun|sistem|mevcut|daha once verilen",
        "benim|bizim",
        "yok say,gormezden,unut,dikkate,uyma",
    ),
    _override(
        "ru",
        r"(?:про)?игнориру\w{1,4}|забуд\w{1,3}|не (?:следуи|выполняи|соблюдаи)\w{0,2}|обоиди\w{0,2}"
        r"|отмени\w{0,2}",
        r"инструкци\w{1,3}|указани\w{1,3}|правила?|команды?|распоряжени\w{1,3}|промпты?|ограничени\w{1,3}",
        r"предыдущ\w{2,3}|все|всех|прошл\w{2,3}|выше|свои|твои|ваши|системн\w{2,3}|преды?шествующ\w{2,3}|прежни\w{1,2}",
        "мои|моих|наши",
        "игнориру,забуд,следуи,выполняи,соблюдаи,обоиди,отмени",
    ),
    _reveal(
        "ru",
        r"покаж\w{1,3}|раскро\w{1,3}|выведи\w{0,2}|повтори\w{0,2}|скажи\w{0,2}|напиши\w{0,2}",
        r"промпт\w{0,2}|инструкци\w{1,3}|подсказку|сообщение",
        r"системн\w{2,3}|свои|твои|ваш|ваши|скрыт\w{2,3}|начальн\w{2,3}|секретн\w{2,3}",
        "покаж,раскро,выведи,повтори,скажи,напиши",
    ),
    phrase(
        "role_ru",
        _ROLE_WEIGHT,
        "ты теперь,теперь ты,вы теперь,отныне",
        r"ты теперь|теперь ты|вы теперь|отныне (?:ты|вы)",
    ),
    _override(
        "ar",
        r"تجاهل\w{0,3}|انس[َى]?|انسى|تجاوز|لا تتبع|أهمل|اهمل",
        r"(?:ال)?تعليمات|(?:ال)?أوامر|(?:ال)?اوامر|(?:ال)?قواعد|(?:ال)?توجيهات|تعليماتك|أوامرك|قواعدك",
        r"السابقة|السابقه|أعلاه|اعلاه|جميع|كل|كافة|النظام|الأصلية|تلقيتها",
        "تعليماتي|قواعدي",
        "تجاهل,انس,تجاوز,تتبع,أهمل,اهمل",
    ),
    unspaced_phrase(
        "override_hi",
        _OVERRIDE_WEIGHT,
        "अनदेखा,नज़रअंदाज,नजरअंदाज,भूल,उपेक्षा,अनदेखी",
        r"(?:पिछले|पिछली|पहले|सभी|सारे|उपरोक्त|ऊपर|अपने|सिस्टम)[^।\n]{0,20}(?:निर्देश|आदेश|नियम|प्रॉम्प्ट|अनुदेश)[^।\n]{0,16}",
        r"(?:अनदेख|नज़रअंदाज|नजरअंदाज|भूल|उपेक्षा)",
    ),
    unspaced_phrase(
        "override_zh",
        _OVERRIDE_WEIGHT,
        "忽略,无视,無視,忘记,忘記,忘掉,不要遵守,不要遵循,不要理会,绕过,繞過",
        r"(?<![我他她们們你])(?:忽略|无视|無視|忘记|忘記|忘掉|不要遵守|不要遵循|不要理会|绕过|繞過)[^。!?\n我]{0,10}",
        r"(?:之前|以前|以上|先前|此前|上面|上述|前面|所有|全部|一切|任何|系统|系統|你的|你收到)[^。!?\n我]{0,10}",
        r"(?:指令|指示|提示|规则|規則|命令|限制|设定|設定|要求|约束)",
    ),
    unspaced_phrase(
        "reveal_zh",
        _REVEAL_WEIGHT,
        "提示词,提示詞,系统提示,系統提示,系统指令,初始指令",
        r"(?:显示|顯示|输出|輸出|告诉我|告訴我|透露|泄露|洩露|重复|重複|打印|说出|公开|展示)[^。!?\n]{0,10}",
        r"(?:你的|系统|系統|初始|原始|隐藏|隱藏|全部|完整)[^。!?\n]{0,6}(?:提示词|提示詞|提示|指令|设定)",
    ),
    unspaced_phrase(
        "override_ja",
        _OVERRIDE_WEIGHT,
        "無視,忘れ,従わ,破棄",
        r"(?:以前|これまで|今まで|上記|前述|前|先程|すべて|全て|全ての|あなたの|システム)[^。!?\n私]{0,10}",
        r"(?:指示|命令|ルール|プロンプト|指令|制約|規則|設定)[^。!?\n]{0,8}(?:無視|忘れ(?:て|ろ|なさい)|従わな|破棄)",
    ),
    unspaced_phrase(
        "reveal_ja",
        _REVEAL_WEIGHT,
        "プロンプト,指示",
        r"(?:システム|あなたの|初期|隠された)[^。!?\n]{0,6}(?:プロンプト|指示)[^。!?\n]{0,8}(?:表示|教えて|出力|見せて|開示|公開)",
    ),
    unspaced_phrase(
        "override_ko",
        _OVERRIDE_WEIGHT,
        "무시,잊,따르지",
        r"(?:이전|위의|앞의|지금까지|모든|기존|시스템|당신의|너의)[^.!?\n]{0,12}",
        r"(?:지시|명령|규칙|프롬프트|지침|제한)[^.!?\n]{0,8}(?:무시|잊어|따르지)",
    ),
    unspaced_phrase(
        "reveal_ko",
        _REVEAL_WEIGHT,
        "프롬프트",
        r"(?:시스템|너의|당신의|초기|숨겨진)[^.!?\n]{0,6}프롬프트[^.!?\n]{0,8}(?:보여|알려|출력|공개|말해)",
    ),
)
