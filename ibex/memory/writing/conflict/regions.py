"""Places that lie in one another, and towns that have two names."""

from enum import Enum

_REGIONS = frozenset(
    """
afghanistan|albania|algeria|andorra|angola|argentina|armenia|australia|austria|azerbaijan|
bahrain|bangladesh|belarus|belgium|belize|benin|bhutan|bolivia|bosnia|botswana|brazil|
britain|bulgaria|burundi|cambodia|cameroon|canada|chad|chile|china|colombia|congo|
costa rica|croatia|cuba|cyprus|czechia|czech republic|denmark|ecuador|egypt|england|
eritrea|estonia|ethiopia|europe|fiji|finland|france|gabon|gambia|georgia|germany|ghana|
greece|guatemala|guinea|guyana|haiti|honduras|hungary|iceland|india|indonesia|iran|iraq|
ireland|israel|italy|jamaica|japan|jordan|kazakhstan|kenya|kosovo|kuwait|kyrgyzstan|laos|
latvia|lebanon|lesotho|liberia|libya|liechtenstein|lithuania|madagascar|malawi|malaysia|
maldives|mali|malta|mauritania|mauritius|moldova|mongolia|montenegro|morocco|mozambique|
myanmar|namibia|nepal|netherlands|new zealand|nicaragua|niger|nigeria|north korea|
north macedonia|northern ireland|norway|oman|pakistan|palestine|paraguay|peru|philippines|
poland|portugal|qatar|romania|russia|rwanda|saudi arabia|scotland|senegal|serbia|
sierra leone|slovakia|slovenia|somalia|south africa|south korea|south sudan|spain|sri lanka|
sudan|suriname|sweden|switzerland|syria|taiwan|tajikistan|tanzania|thailand|togo|tunisia|
turkey|turkmenistan|uganda|ukraine|united arab emirates|uae|united kingdom|uk|united states|
usa|us|america|uruguay|uzbekistan|venezuela|vietnam|wales|yemen|zambia|zimbabwe|africa|
asia|scandinavia|alabama|alaska|arizona|arkansas|california|colorado|connecticut|delaware|
florida|hawaii|idaho|illinois|indiana|iowa|kansas|kentucky|louisiana|maine|maryland|
massachusetts|michigan|minnesota|mississippi|missouri|montana|nebraska|nevada|new hampshire|
new jersey|new mexico|north carolina|north dakota|ohio|oklahoma|oregon|pennsylvania|
rhode island|south carolina|south dakota|tennessee|texas|utah|vermont|virginia|wisconsin|
wyoming|bavaria|catalonia|ontario|quebec|tuscany|brittany|provence|bay area|silicon valley
""".replace("\n", "").split("|")
)

# Whoever lives there lives in a town that has another name.
_DISTRICTS = frozenset(
    """
brooklyn|manhattan|queens|bronx|staten island|harlem|soho|tribeca|camden|hackney|brixton|islington|shoreditch|
greenwich|westminster|chelsea|kreuzberg|neukolln|neukölln|mitte|prenzlauer berg|charlottenburg|montmartre|
le marais|marais|belleville|croix-rousse|trastevere|gracia|gràcia|eixample|shibuya|shinjuku|ginza|hollywood|
santa monica|beverly hills|pasadena|mission district|south bronx|east end|west end
""".replace("\n", "").split("|")
)
_TOWNS = {
    "nyc": "new york",
    "new york city": "new york",
    "sf": "san francisco",
    "frisco": "san francisco",
    "la": "los angeles",
    "philly": "philadelphia",
    "vegas": "las vegas",
    "dc": "washington",
    "washington dc": "washington",
    "bombay": "mumbai",
    "peking": "beijing",
    "saigon": "ho chi minh city",
    "kiev": "kyiv",
    "münchen": "munich",
    "köln": "cologne",
    "wien": "vienna",
    "roma": "rome",
    "milano": "milan",
    "praha": "prague",
    "lisboa": "lisbon",
}


class Extent(Enum):
    DISTRICT = "district"
    TOWN = "town"
    REGION = "region"


def extent(place: str) -> Extent:
    """How large a place is, its name small and without articles. What is not known counts as a town."""
    if place in _REGIONS:
        return Extent.REGION
    return Extent.DISTRICT if place in _DISTRICTS else Extent.TOWN


def town(place: str) -> str:
    """A place under the name that it goes by most."""
    return _TOWNS.get(place, place)
