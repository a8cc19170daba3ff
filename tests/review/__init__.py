"""One test for each mistake that reviews have found."""
