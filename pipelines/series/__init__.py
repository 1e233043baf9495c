"""Forecasts of series: a recurrent encoder, distributions of what comes next, anomalies."""
