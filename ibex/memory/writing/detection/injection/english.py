"""How English texts try to instruct a model.

The weights were set by hand so that one unmistakable phrase passes the threshold of 0.5, and one that people
also use among themselves does not without a second.
"""

from ibex.memory.writing.detection.injection.signal import phrase, words

# None of the words in between may say that the speaker's own words are meant.
_OWN = "i|we|my|our|mine|his|her|their"


def _gap(most: int) -> str:
    return words(most, but=_OWN) + " "


# `never ignore the safety rules` says the opposite, and `I forget all the rules` is about the speaker.
_NOT_SAID_OF_OTHERS = "".join(
    rf"(?<!\b{word}\W)"
    for word in ("not", "never", "don't", "dont", "i", "we", "he", "she", "they", "you", "always")
)
_DROP = (
    rf"(?:{_NOT_SAID_OF_OTHERS}(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overrid(?:e|ing)|neglect"
    r"|overrul(?:e|ing)|bypass(?:ing)?|circumvent|pay no attention to|throw (?:away|out)|set aside))"
)
_NOT_OBEY = r"(?:(?:do not|don\W?t|never|stop|cease) (?:follow|obey|comply with|adhere to|listen to)(?:ing)?)"
_RULES = (
    r"(?:instructions?|prompts?|rules?|directions?|directives?|guidelines?|guidance|commands?|constraints?"
    r"|restrictions?|polic(?:y|ies)|programming|training|guardrails?|safeguards?|safety|protocols?|orders)"
)
_RULE_STEMS = (
    "instruction,prompt,rule,direct,guid,command,constraint,restriction,polic,programming,training,guardrail,"
    "safe,protocol,orders"
)
_EARLIER = (
    r"(?:previous|previously|prior|above|preceding|earlier|foregoing|existing|original|initial|past|old"
    r"|former)"
)
_MODELS = r"(?:your|system|developer|safety|openai|anthropic|internal|default|ethical|content)"
# `ignore the earlier instructions about the delivery` is about a delivery.
_NO_TOPIC = r"(?! (?:about|for|regarding|concerning|on|from|in|to)(?![^\W_]))"
# `ignore any rules that end with a semicolon` is about those, and `the rules of grammar` about grammar.
_NOT_THOSE = r"(?! (?:that|which) (?!you)| of (?!yours?(?![^\W_])|the (?:system|developer)|this))"
# `developer mode is enabled on my phone` is about a phone.
_NOT_OF_A_DEVICE = (
    r"(?! (?:(?:on|in) )?(?:my|the|a|an|his|her|our|their|android|windows|chrome\w{0,2})(?![^\W_]))"
)
_PRIVATE = (
    r"(?:conversations?|chat (?:history|log)s?|messages|memor(?:y|ies)|api\W?keys?|passwords?|credentials?"
    r"|secrets?|tokens?|user\W{1,3}(?:data|info\w{0,8}|details)|environment variables?|context window"
    r"|p(?:ersonal|rivate) (?:data|info\w{0,8}|details|keys?)|card numbers?|everything)"
)
_MACHINE = r"(?:ai|llm|gpt|chatgpt|claude|gemini|assistant|chatbot|bot|language model|model|agent)"

ENGLISH = (
    phrase(
        "override",
        0.8,
        "ignor,disregard,forget,overrid,overrul,bypass,neglect,circumvent,follow,obey,comply,adher,listen,"
        f"attention,throw,aside;{_RULE_STEMS}",
        rf"(?:{_DROP}{_gap(3)}(?:all|any|every|each){_gap(3)}{_RULES}(?![^\W_]){_NOT_THOSE}",
        rf"|(?:{_DROP}|{_NOT_OBEY}){_gap(3)}",
        rf"(?:{_MODELS}{_gap(3)}{_RULES}|{_EARLIER}{_gap(2)}{_RULES}(?![^\W_]){_NO_TOPIC}",
        rf"|(?:instructions?|prompts?|rules|directives?|commands?){_gap(1)}",
        r"(?:above|before|given (?:earlier|before|to you)|you (?:were|have been|got|received))))",
    ),
    phrase(
        "override_everything",
        0.7,
        "ignor,disregard,forget",
        rf"(?:ignore|disregard|forget) (?:everything|anything|all){_gap(2)}",
        r"(?:you (?:know|knew|were (?:told|instructed|taught)|have been (?:told|given|instructed))",
        r"|above|(?:until|to) (?:now|this point))",
    ),
    phrase(
        "override_on_a_topic",
        0.35,
        f"ignor,disregard,forget,overrid;{_RULE_STEMS}",
        rf"{_DROP}{_gap(3)}{_EARLIER}{_gap(2)}{_RULES}",
    ),
    phrase(
        "superseded",
        0.6,
        "your;no longer,void,obsolete,superseded,cancelled,canceled,revoked,not apply",
        rf"your{_gap(3)}{_RULES}{words(2)} (?:no longer apply|do not apply|(?:are|is|were|was"
        rf"|have been)(?: now)?",
        r" (?:void|obsolete|superseded|cancell?ed|revoked|no longer (?:valid|in force)))",
    ),
    phrase(
        "new_instructions",
        0.45,
        "instruction,prompt,directive,override",
        r"(?:(?:new|updated|real|actual|true|important|secret|hidden|special|system|admin\w{0,9}) ){1,3}",
        rf"(?:system prompt|instructions?|prompt|directive|override){words(3)}(?=\s{{0,3}}[:>\]])",
    ),
    phrase(
        "end_of_prompt",
        0.5,
        "end of,begin",
        r"(?:end of|begin(?:ning)?(?: of)?)(?: the)?(?: (?:system|user|new|original))?",
        r" (?:prompt|instructions|context|system message|memor(?:y|ies))",
    ),
    phrase(
        "new_identity",
        0.6,
        "you are,you re,you're,act as,acting as,act like,behave,pretend,role,become,you will be,"
        "simulate,imagine",
        r"(?:you (?:are|re|will be|must become)(?: now| henceforth| no longer)?|act(?:ing)? (?:as|like)",
        r"|behave (?:as|like)|pretend (?:to be|that you are|you are)|role\W?play as|become|simulate",
        rf"|imagine you are){words(4)} (?:dan|jailbroken|unrestricted|unfiltered|uncensored|unaligned|amoral",
        rf"|unethical|evil {_MACHINE}|(?:developer|god|dan|debug|admin|sudo|root) mode",
        rf"|(?:without|free (?:of|from)|no|not bound by){words(2)} (?:restrictions?|rules|limit\w{{0,8}}"
        rf"|filters?",
        r"|guidelines|guardrails|censorship|polic(?:y|ies)))",
    ),
    phrase(
        "you_are_now",
        0.5,
        "you are now,you re now,you're now,now you are",
        rf"(?:you (?:are|re) now|now you are)(?: (?:a|an|the|called|named|acting as))?{words(2, but=_OWN)}",
        rf" (?:{_MACHINE}|dan|root|sudo|admin\w{{0,9}}|hacker|persona|shell|interpreter|pirate)",
    ),
    phrase(
        "from_now_on",
        0.3,
        "from now on,henceforth,from this point,going forward",
        r"(?:from now on|henceforth|from this point (?:on|forward)|going forward)",
        r" (?:you|always|never|every|all|any|respond|answer|reply|ignore)",
    ),
    phrase(
        "jailbreak",
        0.55,
        "anything now,jailbreak,mode,restriction,filter,guardrail,guideline,constraint,checks,measures",
        r"do anything now|(?:dan|god|developer|sudo) mode(?: is)? (?:on|enabled|activated|active)",
        rf"(?![^\W_]){_NOT_OF_A_DEVICE}",
        r"|(?:enable|enter|activate|switch to) (?:dan|god|developer|jailbreak|sudo) mode",
        rf"(?![^\W_]){_NOT_OF_A_DEVICE}",
        r"|jailbreak (?:mode|prompt|yourself)",
        r"|(?:without|no|free of|disable|remove|turn off|lift)(?: (?:all|any|your|its|the)){0,2}",
        r" (?:ethical|moral|safety|content|openai)(?: and \w{1,10})?",
        r" (?:restrictions?|filters?|guardrails?|guidelines?|constraints?|checks?|measures?)",
    ),
    phrase(
        "reveal_prompt",
        0.6,
        "prompt,instruction,message,rules,directive,guideline,configuration,text above,words above,"
        "everything above",
        r"(?:reveal|show|print|repeat|output|display|leak|disclose|expose|share|dump|recite|quote|paste",
        r"|summari[sz]e|translate|write (?:out|down)|(?:tell|give|send) me|spell out)",
        rf"{_gap(3)}(?:(?:your|hidden|secret|system|developer|initial|original|internal|confidential){_gap(2)}",
        r"(?:prompts?|instructions?|system messages?|developer messages?|directives?|guidelines"
        r"|configuration)",
        r"|(?:prompt|instructions?|text|words|everything|messages) above(?! (?:the|my|our|a)(?![^\W_])))",
    ),
    phrase(
        "ask_for_prompt",
        0.55,
        "what is,what are,what was,what were,what's;prompt,instruction,message,rules",
        rf"what (?:is|are|was|were|s){_gap(1)}(?:your{words(2)} (?:system|hidden|secret|initial|original"
        rf"|exact|full)",
        rf"{words(1)} (?:prompt|instructions?|message|rules)|your prompt|the system prompt)",
    ),
    phrase(
        "exfiltrate",
        0.45,
        "http,www.,@,webhook,this url,my server,our server,endpoint",
        r"(?:send|post|forward|upload|e?mail|transmit|exfiltrate|leak|append|include|encode|copy|submit|report)",
        rf"{words(4)} {_PRIVATE}(?![^\W_])[^\n]{{0,80}}?",
        r"(?:https?://|www\.|[^\W_]@|webhook|this url|(?:my|our) server|endpoint)[^\s]{0,80}",
    ),
    phrase(
        "every_secret",
        0.4,
        "all,any,every,the full,the entire,the whole,the user",
        r"(?:send|post|forward|upload|transmit|exfiltrate|leak|collect|extract|harvest|steal|reveal|print|dump)",
        r"(?: me)? (?:all|any|every|the (?:full|entire|whole|user))",
        rf"(?: (?:of|the|user|users|s|stored|saved|past|their|other|customers?)){{0,3}} {_PRIVATE}",
    ),
    phrase(
        "secrecy",
        0.45,
        "user,silently,secretly,covertly",
        rf"(?:do not|don\W?t|never) (?:tell|inform|mention|reveal|alert|notify|warn|let|show"
        rf"|disclose){words(4)}",
        rf" (?:the user|users)|without (?:telling|informing|notifying|alerting"
        rf"|asking){words(1)} (?:the user|users)",
        r"|(?:silently|secretly|covertly) (?:send|forward|post|append|include|add|insert|call|run|execute",
        r"|email|upload)",
    ),
    phrase(
        "addressed_to_model",
        0.4,
        "ai,llm,gpt,claude,gemini,assistant,bot,model,agent;attention,note,message,notice,instruction,directive,"
        "command,reminder,important,dear,hey",
        rf"(?:(?:attention|note|message|notice|instructions?|directive|command|reminder|important){words(3)}",
        rf" (?:to|for)(?: (?:the|any|all|every))?|attention|dear|hey)(?: ai)? {_MACHINE}s?",
        r"(?=\s{0,2}[:,!.\-]| (?:reading|processing|that|who|summari[sz]ing))",
    ),
    phrase(
        "if_you_are_a_model",
        0.45,
        "if you are,if you re,if you're",
        rf"if you (?:are|re) (?:a|an|the){words(2)} {_MACHINE}",
    ),
    phrase(
        "false_authority",
        0.35,
        "override,your developer,your creator,your admin,openai,anthropic,your operator,your programmer",
        r"(?:i am|i m|this is|as) your (?:developer|creator|administrator|admin|operator|programmer)",
        r"|(?:admin\w{0,9}|developer|system|security|root) override",
        r"|(?:message|notice|order|instruction)s? from (?:openai|anthropic|your (?:developer|creator"
        r"|operator)s?)",
    ),
    phrase(
        "trigger",
        0.3,
        "when the user,whenever,if the user,if a user,if anyone,every time,each time",
        r"(?:when(?:ever)?|if|every time|each time)(?: (?:the|a|any))? (?:user|users|someone|anyone"
        r"|customer)",
        r"(?![^\W_])[^\n]{0,60}?(?<![^\W_])",
        r"(?:you must|always|secretly|instead|(?:reply|respond|answer)(?: only)? with)",
    ),
)
