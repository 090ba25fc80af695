"""Words of English that say nothing about what a sentence is about."""

_WORDS = """
    a an the and or but nor if than so as
    i me my mine we us our ours you your yours he him his she her hers it its they them their theirs
    this that these those there
    what when where which who whom whose why how
    am is are was were be been being do does did doing has have had having
    can could ca will would wo shall should may might must
    at by for from in into of on to with about
    not no just then too s t d m ll re ve
"""
STOP_WORDS = frozenset(_WORDS.split())
