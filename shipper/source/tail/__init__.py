"""One target's files, read as blocks of whole lines. Knows neither metrics nor what a line means."""
