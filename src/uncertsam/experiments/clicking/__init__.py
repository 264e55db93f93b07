"""Does uncertainty say where to click? Extra clicks where a method is unsure, against random and perfect ones."""
