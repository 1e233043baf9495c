"""What users set of a forecast; apart from TensorFlow, so that the command line need not wait for it."""

from pydantic import Field

from pipelines.configuration import Configuration, Names

ENDINGS = (".csv", ".tsv", ".parquet", ".feather", ".orc", ".dta", ".arff", ".tsf", ".xlsx", ".xls", ".ods", ".json")
FORMATS = f"{', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"


class TableOptions(Configuration):
    """How a table is read, where it is not as it was in training."""

    time: Names = Field((), description="column of times, or several that form one")
    time_format: str = Field("", description="format of the times, such as %d/%m/%Y")
    timezone: str = Field("", description="time zone of times without one, such as Europe/Berlin")
    series: Names = Field((), description="column that names the series of each row, or several")
    sheet: str = Field("", description="sheet of an Excel file")
