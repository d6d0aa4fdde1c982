"""What contracts and tariffs add to the program, one file for each kind of term."""
