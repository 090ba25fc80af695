"""Countries and states: whoever lives in one lives in one of its towns as well."""

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


def is_region(place: str) -> bool:
    """Whether a place, small and without articles, is a country, a state or larger."""
    return place in _REGIONS
