"""Integer linear problems: rows of numbers, and their lexicographically least solutions."""
