"""Linear programs: named blocks of columns and rows, and the one door to the solver."""
