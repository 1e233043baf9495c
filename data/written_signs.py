# ruff: noqa: RUF001  (letters of several scripts)
"""Tables of how languages write and say units, money, signs and ordinals, beyond what CLDR knows."""

NO_BREAK_SPACES = "\u00a0\u2007\u2009\u202f"
MINUS = "\u2212\u2012\u2013-"
JOINTS = ".,:/'\u00b7\u2010\u2011" + MINUS  # what may stand between the digits of one written form
MAXIMUM_DIGITS = 6  # of a number without separators; longer ones are codes and telephone numbers as often

UNITS = {
    "length": "kilometer=km,Km,KM meter=m centimeter=cm millimeter=mm micrometer=µm,μm foot=ft",
    "area": "square-kilometer=km²,km2 square-meter=m²,m2 square-centimeter=cm²,cm2 hectare=ha",
    "volume": "liter=l,L milliliter=ml,mL centiliter=cl,cL cubic-meter=m³,m3 cubic-centimeter=cm³,cm3",
    "mass": "kilogram=kg,Kg,KG gram=g milligram=mg tonne= pound=lb,lbs ounce=oz",
    "speed": "kilometer-per-hour=km/h,kmh,Km/h meter-per-second=m/s mile-per-hour=mph",
    "temperature": "celsius=°C,℃ fahrenheit=°F,℉",
    "angle": "degree=°",
    "concentr": "percent=%,٪ permille=‰",
    "digital": "kilobyte=kB,KB megabyte=MB gigabyte=GB terabyte=TB",
    "frequency": "hertz=Hz kilohertz=kHz megahertz=MHz gigahertz=GHz",
    "power": "watt=W kilowatt=kW megawatt=MW horsepower=",
    "energy": "kilowatt-hour=kWh kilocalorie=kcal kilojoule=kJ",
    "electric": "volt=V ampere= ohm=Ω",
    "pressure": "hectopascal=hPa",
    "duration": "hour=h minute=min second=s,sec millisecond=ms",
}
LETTER_UNITS = ("m", "g", "l", "L", "h", "W")  # other letters alone are units only where they touch the number
# Codes with the signs that stand for them; "kr" is in `CROWNS`.
CURRENCIES = (
    "EUR=€ USD=$,US$ GBP=£ JPY=¥ CHF= CZK=Kč PLN=zł SEK= NOK= DKK= HUF=Ft RUB=₽,руб.,руб UAH=₴,грн INR=₹ CNY= KRW=₩ "
    "TRY=₺,TL BRL=R$ CAD=CA$ AUD=A$ NZD=NZ$ MXN=MX$ RON= BGN= ILS=₪ ZAR="
)
CURRENCIES_BEHIND = ("kr", "kr.", "Ft", "zł", "Kč", "руб.", "руб", "грн", "TL")  # never before the amount
CROWNS = {"sv": "SEK", "da": "DKK", "nb": "NOK", "nn": "NOK", "no": "NOK", "is": "ISK"}

MAGNITUDES = {  # in English, behind an amount of money
    **{word: word for word in ("hundred", "thousand", "million", "billion", "trillion")},
    **{"k": "thousand", "m": "million", "mn": "million", "bn": "billion", "b": "billion", "tn": "trillion"},
}
WITHOUT_SPACES = ("ja", "zh", "yue", "th", "lo", "km", "my")  # languages that write none between words

SIGNS = {  # plus, minus, equals, times, at, the dot of an address
    "en": "plus,minus,equals,times,at,dot",
    "de": "plus,minus,gleich,mal,at,Punkt",
    "fr": "plus,moins,égale,fois,arobase,point",
    "es": "más,menos,igual a,por,arroba,punto",
    "it": "più,meno,uguale,per,chiocciola,punto",
    "pt": "mais,menos,igual a,vezes,arroba,ponto",
    "nl": "plus,min,is,keer,apenstaartje,punt",
    "cs": "plus,minus,rovná se,krát,zavináč,tečka",
    "sk": "plus,mínus,rovná sa,krát,zavináč,bodka",
    "pl": "plus,minus,równa się,razy,małpa,kropka",
    "sv": "plus,minus,lika med,gånger,snabel-a,punkt",
    "da": "plus,minus,lig med,gange,snabel-a,punktum",
    "nb": "pluss,minus,er lik,ganger,krøllalfa,punktum",
    "fi": "plus,miinus,on yhtä kuin,kertaa,ät,piste",
    "hu": "plusz,mínusz,egyenlő,szor,kukac,pont",
    "ru": "плюс,минус,равно,умножить на,собака,точка",
    "uk": "плюс,мінус,дорівнює,помножити на,собака,крапка",
    "tr": "artı,eksi,eşittir,çarpı,et,nokta",
}
MORE_SIGNS = {
    "en": {"#": "number", "№": "number", "<": "less than", ">": "greater than", "±": "plus or minus"},
    "ru": {"№": "номер"},
    "uk": {"№": "номер"},
}
DEGREES_OR_ORDINALS = ("it", "es", "pt", "ca", "gl")  # languages in which 2° is the second as often as two degrees
ORDINAL_SUFFIXES = {  # the second pattern is of feminine ones
    "en": ("st|nd|rd|th", ""),
    "fr": ("er|e|ème|eme|nd", "re|ère|ere|nde"),
    "es": (r"\.?º|\.?°|er|ro|do|to|vo|mo", r"\.?ª|ra|da|ta|va|ma"),
    "pt": (r"\.?º|\.?°|o", r"\.?ª|a"),
    "it": (r"\.?º|°", r"\.?ª"),
    "nl": ("e|ste|de", ""),
    "sv": (":a|:e", ""),
}
# A number with a full stop is an ordinal, whose ending depends on the sentence.
DOTTED_ORDINALS = "de lb cs sk pl hu fi da nb nn no et lv lt sl hr sr bs tr is fo"
