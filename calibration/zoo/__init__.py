"""Networks of the zoo: definitions used at development time to make the shipped graphs."""
