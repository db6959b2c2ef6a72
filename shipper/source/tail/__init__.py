"""Files and bytes: one target's files to blocks of whole lines. Knows neither metrics nor what a line means."""
