"""The national registers whose numbers are known, and the words that go with them."""

import re

from ibex.memory.writing.detection.personal.context import Vocabulary
from ibex.memory.writing.detection.personal.identifier import Identifier
from ibex.memory.writing.detection.personal.zones import LETTERS

_BEFORE = rf"(?<![{LETTERS}.,/#$€£@+-])"
_AFTER = rf"(?![{LETTERS}@%]|[.,/-][0-9])"
_S = r"[ \u00a0\u202f.\-]?"


def _register(
    rule: str,
    check: str | None,
    shape: str,
    words: str,
    *,
    stems: str = "",
    parts: str = "",
    digits: int = 9,
    alone: bool = False,
) -> Identifier:
    vocabulary = Vocabulary(frozenset(words.split()), tuple(stems.split()), tuple(parts.split()))
    return Identifier(rule, check, re.compile(f"{_BEFORE}(?:{shape}){_AFTER}"), vocabulary, digits, alone)


REGISTERS = (
    _register("us_ssn", "us.ssn", r"[0-9]{3}-[0-9]{2}-[0-9]{4}", "ssn", stems="social", alone=True),
    _register("us_ssn", "us.ssn", r"[0-9]{3} ?[0-9]{2} ?[0-9]{4}", "ssn", stems="social"),
    _register("us_itin", "us.itin", r"9[0-9]{2}-[0-9]{2}-[0-9]{4}", "itin taxpayer", alone=True),
    # HMRC NIM39110: the prefixes that are never given out. No check digit.
    _register(
        "gb_nino",
        None,
        r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] [0-9]{2} [0-9]{2} [0-9]{2} [A-D]",
        "nino ni",
        stems="insurance",
        alone=True,
        digits=6,
    ),
    _register(
        "gb_nino",
        None,
        r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]-?[0-9]{6}-?[A-D]",
        "nino ni",
        stems="insurance",
        digits=6,
    ),
    _register("gb_nhs", "gb.nhs", r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}", "nhs", stems="patient"),
    _register(
        "fr_nir",
        "fr.nir",
        rf"[1-478]{_S}[0-9]{{2}}{_S}[0-9]{{2}}{_S}[0-9][0-9AB]{_S}[0-9]{{3}}{_S}[0-9]{{3}}{_S}[0-9]{{2}}",
        "nir insee",
        stems="sécu sécurité",
        alone=True,
    ),
    _register(
        "de_tax_id",
        "de.idnr",
        r"[1-9][0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}",
        "idnr tin",
        stems="steuer identifikationsnummer tax",
    ),
    _register("es_dni", "es.dni", r"[0-9]{8}-?[A-Z]", "dni nif", stems="identidad", alone=True, digits=8),
    _register("es_nie", "es.nie", r"[XYZ]-?[0-9]{7}-?[A-Z]", "nie", stems="extranjero", alone=True, digits=7),
    _register(
        "it_codice_fiscale",
        "it.codicefiscale",
        r"[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]",
        "cf",
        stems="codice fiscal",
        alone=True,
        digits=4,
    ),
    _register(
        "nl_bsn",
        "nl.bsn",
        r"[0-9]{4}\.?[0-9]{2}\.?[0-9]{3}|[0-9]{3} [0-9]{3} [0-9]{3}",
        "bsn",
        stems="burgerservice",
    ),
    _register(
        "be_nn",
        "be.nn",
        r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}",
        "",
        stems="rijksregister",
        alone=True,
    ),
    _register(
        "be_nn",
        "be.nn",
        r"[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{3} ?[0-9]{2}",
        "nrn",
        stems="rijksreg registre nation",
    ),
    _register("ch_ahv", "ch.ssn", r"756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}", "ahv avs", alone=True),
    _register("at_svnr", "at.vnr", r"[0-9]{4} ?[0-9]{6}", "svnr svn", stems="sozialversicherung"),
    _register("ie_pps", "ie.pps", r"[0-9]{7}[A-W][A-IW]?", "pps ppsn", digits=7),
    _register("pt_nif", "pt.nif", r"[1-35-9][0-9]{2} ?[0-9]{3} ?[0-9]{3}", "nif contribuinte"),
    _register("pl_pesel", "pl.pesel", r"[0-9]{11}", "pesel"),
    _register("cz_rc", "cz.rc", r"[0-9]{6}/[0-9]{3,4}", "rč rc", stems="rodn birth", alone=False),
    _register("ro_cnp", "ro.cnp", r"[1-9][0-9]{12}", "cnp", stems="personal"),
    _register(
        "se_personnummer",
        "se.personnummer",
        r"(?:[0-9]{2})?[0-9]{6}[-+][0-9]{4}",
        "",
        stems="personn",
        alone=True,
    ),
    _register(
        "no_fodselsnummer", "no.fodselsnummer", r"[0-9]{6} ?[0-9]{5}", "", stems="fødsels fodsels personn"
    ),
    _register("dk_cpr", "dk.cpr", r"[0-9]{6}-?[0-9]{4}", "cpr", stems="personn"),
    _register("fi_hetu", "fi.hetu", r"[0-9]{6}[-+A][0-9]{3}[0-9A-Y]", "hetu", stems="henkilö", alone=True),
    _register("tr_kimlik", "tr.tckimlik", r"[1-9][0-9]{10}", "tc tckn", stems="kimlik"),
    _register("br_cpf", "br.cpf", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", "cpf", alone=True),
    _register("br_cpf", "br.cpf", r"[0-9]{11}", "cpf"),
    _register(
        "mx_curp", "mx.curp", r"[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9]", "curp", alone=True, digits=6
    ),
    _register("ca_sin", "ca.sin", r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}", "sin nas", stems="social"),
    _register("au_tfn", "au.tfn", r"[0-9]{3} ?[0-9]{3} ?[0-9]{2,3}", "tfn", stems="tax", digits=8),
    _register(
        "in_aadhaar",
        "in_.aadhaar",
        r"[2-9][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}",
        "uid",
        stems="aadha",
        parts="आधार",
    ),
    _register("in_pan", "in_.pan", r"[A-Z]{5}[0-9]{4}[A-Z]", "pan", stems="tax permanent", digits=4),
    # Eighteen characters with a place, a date of birth and a check digit.
    _register("cn_ric", "cn.ric", r"[1-9][0-9]{16}[0-9X]", "ric", parts="身份证", alone=True),
    _register("kr_rrn", "kr.rrn", r"[0-9]{6}-[0-9]{7}", "rrn", parts="주민", alone=True),
    _register("za_id", "za.idnr", r"[0-9]{13}", "id", stems="identity"),
)
