"""Forecasts of series: a recurrent encoder, distributions of what comes next, anomalies."""

from unrolled_installation import check_libraries

check_libraries(["charset_normalizer", "pandas", "pyarrow", "python_calamine", "sklearn", "threadpoolctl"], "series")
